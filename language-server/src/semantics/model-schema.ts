/**
 * JSON schemas of pydantic models, as far as the class's text tells them: what
 * `Model.model_json_schema()` returns.
 */
import type { ClassDef, Expression } from '../syntax/ast.ts';
import { lastName } from '../syntax/walk.ts';
import { lookupName, type Environment } from './environment.ts';
import { isJsonObject, type JsonSchema } from './json-schema.ts';
import type { Machine } from './machine.ts';
import { bool, constantText, none, text, tuple, type Value } from './value.ts';

type Properties = Record<string, JsonSchema>;

/** `null`: not a model, nor an enumeration that a model may use. */
export function classSchema(machine: Machine, node: ClassDef, env: Environment): JsonSchema | null {
  const bases = node.bases.filter((base) => base.name === null).map(({ value }) => value);
  const names = bases.map(lastName);
  if (names.some((name) => ['Enum', 'StrEnum', 'IntEnum'].includes(name)))
    return enumeration(machine, node, env);
  const inherited = bases
    .map((base) => modelOf(machine, base, env))
    .filter((base) => base !== null);
  const isModel = names.includes('BaseModel') || inherited.length > 0;
  const source = machine.unit.text.slice(node.start, node.end);
  if (!isModel || /\balias_generator\b/.test(source)) return null;
  // Others may bring fields that are not seen here.
  const isWhole = bases.length === inherited.length + (names.includes('BaseModel') ? 1 : 0);
  let isOpen = !isWhole || /\bextra\s*=|"extra"|\bvalidation_alias\b/.test(source);
  const properties: Properties = {};
  const required = new Set<string>();
  for (const base of inherited.toReversed()) {
    if (!isJsonObject(base)) continue;
    if (isJsonObject(base['properties'])) Object.assign(properties, base['properties']);
    isOpen ||= base['additionalProperties'] === true;
    if (Array.isArray(base['required']))
      for (const name of base['required']) if (typeof name === 'string') required.add(name);
  }
  for (const statement of node.body) {
    if (statement.kind !== 'AnnotatedAssign' || statement.target.kind !== 'Name') continue;
    const { annotation, value } = statement;
    if (statement.target.id.startsWith('_') || nameOf(annotation) === 'ClassVar') continue;
    const field = fieldOf(value);
    const name = field?.alias ?? statement.target.id;
    properties[name] = described(
      annotationSchema(machine, annotation, env),
      field?.description ?? null,
    );
    if (field ? field.isRequired : value === null) required.add(name);
  }
  return {
    title: node.name.id,
    type: 'object',
    properties,
    required: [...required],
    ...(isOpen ? { additionalProperties: true } : {}),
  };
}

function enumeration(machine: Machine, node: ClassDef, env: Environment): JsonSchema | null {
  const values: JsonSchema[] = [];
  machine.recorder.quiet++;
  for (const statement of node.body) {
    if (statement.kind !== 'Assign') continue;
    const value = machine.evaluate(statement.value, env);
    values.push(value.kind === 'number' ? value.value : constantText(value));
  }
  machine.recorder.quiet--;
  return values.length === 0 || values.includes(null) ? {} : { enum: values };
}

/** `x: T = Field(default, alias="y", description="…")`; `null` for other values. */
function fieldOf(value: Expression | null): {
  readonly alias: string | null;
  readonly description: string | null;
  readonly isRequired: boolean;
} | null {
  if (value?.kind !== 'Call' || lastName(value.callee) !== 'Field') return null;
  const given = (name: string) => value.args.find((argument) => argument.name?.id === name)?.value;
  const constant = (name: string) => {
    const argument = given(name);
    return argument?.kind === 'Str' ? argument.value : null;
  };
  const first = value.args.find((argument) => argument.name === null && argument.star === '');
  const byDefault = first?.value ?? given('default') ?? given('default_factory');
  const isEllipsis = byDefault?.kind === 'Constant' && byDefault.raw === '...';
  return {
    alias: constant('alias'),
    description: constant('description'),
    isRequired: !byDefault || isEllipsis,
  };
}

const plainTypes: Readonly<Record<string, JsonSchema>> = {
  str: { type: 'string' },
  int: { type: 'integer' },
  float: { type: 'number' },
  bool: { type: 'boolean' },
  None: { type: 'null' },
  dict: { type: 'object' },
  Dict: { type: 'object' },
  list: { type: 'array' },
  List: { type: 'array' },
};

/** `{}`, which allows anything, for annotations that are not understood. */
function annotationSchema(machine: Machine, annotation: Expression, env: Environment): JsonSchema {
  const schemaOf = (part: Expression) => annotationSchema(machine, part, env);
  if (annotation.kind === 'Constant') return plainTypes[annotation.raw] ?? {};
  if (annotation.kind === 'Name' || annotation.kind === 'Attribute')
    return modelOf(machine, annotation, env) ?? plainTypes[lastName(annotation)] ?? {};
  if (annotation.kind === 'Binary' && annotation.operator === '|')
    return { anyOf: [schemaOf(annotation.left), schemaOf(annotation.right)] };
  if (annotation.kind !== 'Subscript') return {};
  const { index } = annotation;
  const parts = index.kind === 'Tuple' ? index.elements : [index];
  const [first] = parts;
  switch (lastName(annotation.object)) {
    case 'Optional':
      return { anyOf: [schemaOf(index), { type: 'null' }] };
    case 'Union':
      return { anyOf: parts.map(schemaOf) };
    case 'Annotated':
      return first ? schemaOf(first) : {};
    case 'Literal': {
      const values = parts.map((part) => (part.kind === 'Str' ? part.value : null));
      return values.includes(null) ? {} : { enum: values };
    }
    case 'list':
    case 'List':
    case 'set':
    case 'Set':
    case 'Sequence':
      return { type: 'array', items: schemaOf(index) };
    case 'dict':
    case 'Dict':
    case 'Mapping':
      return { type: 'object', additionalProperties: parts[1] ? schemaOf(parts[1]) : true };
    default:
      return {};
  }
}

function described(schema: JsonSchema, description: string | null): JsonSchema {
  return isJsonObject(schema) && description !== null ? { ...schema, description } : schema;
}

function modelOf(machine: Machine, node: Expression, env: Environment): JsonSchema | null {
  if (node.kind !== 'Name') return null;
  const value = lookupName(env, node.id, machine.hoisted);
  return value.kind === 'object' ? (value.schema ?? null) : null;
}

/** `Optional` of `Optional`, `typing.Optional` and `Optional[int]`. */
function nameOf(annotation: Expression): string {
  return lastName(annotation.kind === 'Subscript' ? annotation.object : annotation);
}

/** The dict that Python has of it. */
export function schemaValue(schema: JsonSchema): Value {
  if (schema === null) return none;
  if (typeof schema === 'string') return text(schema);
  if (typeof schema === 'number') return { kind: 'number', value: schema };
  if (typeof schema === 'boolean') return bool(schema);
  if (!isJsonObject(schema)) return tuple(schema.map(schemaValue));
  const entries = Object.entries(schema).map(([key, value]) => [key, schemaValue(value)] as const);
  return { kind: 'dict', entries: new Map(entries) };
}
