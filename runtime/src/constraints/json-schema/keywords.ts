import type { JsonObject } from './json-value.ts';
import { unsupportedSchema, type Pointer } from './schema-error.ts';

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  '$anchor',
  '$dynamicAnchor',
  '$vocabulary',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  'discriminator',
  'externalDocs',
  'xml',
]);

/** Keywords by the type of value they speak about. */
export const TYPE_KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'propertyNames',
    'minProperties',
    'maxProperties',
    'unevaluatedProperties',
  ],
  array: ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
};

const GENERAL = ['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf', '$ref', 'nullable'];
const SUPPORTED: ReadonlySet<string> = new Set([
  ...GENERAL,
  ...Object.values(TYPE_KEYWORDS).flat(),
]);

/** Keywords of JSON Schema (drafts 4 to 2020-12) that change the meaning and cannot be enforced. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  'not',
  'if',
  'then',
  'else',
  'contains',
  'minContains',
  'maxContains',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedItems',
  '$dynamicRef',
  '$recursiveRef',
  'extends',
  'disallow',
]);

export function isAnnotation(keyword: string): boolean {
  return ANNOTATIONS.has(keyword) || keyword.startsWith('x-');
}

/** The schema has nothing but annotations besides `keywords`. */
export function constrainsOnly(schema: JsonObject, ...keywords: readonly string[]): boolean {
  return Object.keys(schema).every((key) => isAnnotation(key) || keywords.includes(key));
}

/** Refuses keywords that cannot be enforced; returns those nobody knows. */
export function checkKeywords(schema: JsonObject, pointer: Pointer): string[] {
  const unknown: string[] = [];
  for (const keyword of Object.keys(schema)) {
    if (SUPPORTED.has(keyword) || isAnnotation(keyword)) continue;
    if (UNSUPPORTED.has(keyword)) {
      throw unsupportedSchema(pointer, `the keyword ${keyword} is not supported`);
    }
    unknown.push(keyword);
  }
  return unknown;
}
