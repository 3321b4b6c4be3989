/** Signatures of callable values, for signature help, parameter completion and hovers. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { programParameters } from '../semantics/program-calls.ts';
import {
  apiFunctions,
  programMethods,
  runBatchParameters,
  runParameters,
  stateMethods,
} from '../semantics/sglang-api.ts';
import type { FunctionRef, Value } from '../semantics/value.ts';
import type { Parameter } from '../syntax/ast.ts';
import { callAt } from './lookup.ts';

export interface ParameterInfo {
  readonly name: string;
  /** As in a `def`, e.g. `max_tokens: int | None = None`. */
  readonly label: string;
  readonly doc: string;
}

export interface Signature {
  readonly name: string;
  readonly parameters: readonly ParameterInfo[];
  readonly returns: string;
  readonly doc: string;
}

export interface SignatureHelp {
  readonly signature: Signature;
  readonly label: string;
  readonly activeParameter: number;
}

export function formatSignature(signature: Signature): string {
  return `${signature.name}(${signature.parameters.map((parameter) => parameter.label).join(', ')}) -> ${signature.returns}`;
}

const fromApi = ({
  name,
  type,
  defaultText,
  doc,
}: {
  name: string;
  type: string;
  defaultText: string | null;
  doc: string;
}) => ({
  name,
  label: `${name}: ${type}${defaultText === null ? '' : ` = ${defaultText}`}`,
  doc,
});

function fromSource(ref: FunctionRef, parameter: Parameter): ParameterInfo {
  const name = parameter.name?.id ?? '';
  return { name, label: ref.unit.text.slice(parameter.start, parameter.end), doc: '' };
}

export function docstringOf(ref: Pick<FunctionRef, 'node'>): string {
  const [first] = ref.node.kind === 'FunctionDef' ? ref.node.body : [];
  return first?.kind === 'Expression' && first.value.kind === 'Str'
    ? (first.value.value ?? '').trim()
    : '';
}

export function signatureOf(callee: Value): Signature | null {
  if (callee.kind === 'api') {
    const api = apiFunctions.get(callee.name);
    return api
      ? {
          name: api.name,
          parameters: [...api.parameters, ...(api.keywords ?? [])].map(fromApi),
          returns: api.returns,
          doc: api.doc,
        }
      : null;
  }
  if (callee.kind === 'function') {
    const parameters = callee.ref.node.parameters.map((parameter) =>
      fromSource(callee.ref, parameter),
    );
    return { name: callee.ref.name, parameters, returns: 'Any', doc: docstringOf(callee.ref) };
  }
  if (callee.kind === 'program') return runSignature(callee.ref, 'run');
  if (callee.kind !== 'method') return null;
  const { object, name } = callee;
  if (object.kind === 'program') return runSignature(object.ref, name);
  const doc = stateMethods.get(name);
  return doc === undefined
    ? null
    : {
        name,
        parameters: stateParameters[name] ?? [],
        returns: stateReturns[name] ?? 'Any',
        doc,
      };
}

const variable = { name: 'name', label: 'name: str', doc: 'A variable of the program.' };
const content = {
  name: 'expr',
  label: 'expr: SglExpr | str | None = None',
  doc: 'Content of the message; without it, a `with` block holds the content.',
};
const stateParameters: Readonly<Record<string, readonly ParameterInfo[]>> = {
  system: [content],
  user: [content],
  assistant: [content],
  get_var: [variable],
  set_var: [variable, { name: 'value', label: 'value: Any', doc: 'What to store.' }],
  get_meta_info: [variable],
  text_iter: [{ ...variable, name: 'var_name', label: 'var_name: str | None = None' }],
  text_async_iter: [
    { ...variable, name: 'var_name', label: 'var_name: str | None = None' },
    {
      name: 'return_meta_data',
      label: 'return_meta_data: bool = False',
      doc: 'Yield pairs of text and meta information.',
    },
  ],
  var_scope: [{ ...variable, doc: 'Name of the new variable.' }],
  fork: [{ name: 'size', label: 'size: int = 1', doc: 'Number of copies.' }],
};

const stateReturns: Readonly<Record<string, string>> = {
  text: 'str',
  messages: 'list[dict[str, str]]',
  error: 'Exception | None',
  sync: 'None',
  set_var: 'None',
  get_meta_info: 'dict | None',
  text_iter: 'Iterator[str]',
  text_async_iter: 'AsyncIterator[str]',
  fork: 'ProgramStateGroup',
  copy: 'ContextManager[ProgramState]',
  var_scope: 'ContextManager[ProgramState]',
};

function runSignature(ref: FunctionRef, method: string): Signature | null {
  const doc = [docstringOf(ref), programMethods.get(method) ?? '']
    .filter((part) => part !== '')
    .join('\n\n');
  const own = programParameters(ref).map((parameter) => fromSource(ref, parameter));
  const name = `${ref.name}.${method}`;
  if (method === 'run' || method === 'run_async') {
    const taken = new Set(own.map((parameter) => parameter.name));
    const sampling = runParameters.filter((parameter) => !taken.has(parameter.name)).map(fromApi);
    return { name, parameters: [...own, ...sampling], returns: 'ProgramState', doc };
  }
  if (method === 'run_batch' || method === 'run_batch_async') {
    const items = {
      name: 'batch_kwargs',
      label: `batch_kwargs: list[dict]`,
      doc: `One dict per run: ${own.map((p) => p.label).join(', ')}.`,
    };
    return {
      name,
      parameters: [items, ...runBatchParameters.map(fromApi)],
      returns: 'list[ProgramState]',
      doc,
    };
  }
  return method === 'bind' ? { name, parameters: own, returns: 'SglFunction', doc } : null;
}

export function signatureHelp(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): SignatureHelp | null {
  const call = callAt(analysis, uri, offset);
  const signature = call ? signatureOf(call.callee) : null;
  if (!call || !signature) return null;
  const { args } = call.node;
  const current = args.find((argument) => argument.start <= offset && offset <= argument.end);
  const before = args.filter((argument) => argument.end < offset).length;
  const name = current?.name?.id;
  const active =
    name === undefined
      ? before
      : signature.parameters.findIndex((parameter) => parameter.name === name);
  return { signature, label: formatSignature(signature), activeParameter: active };
}
