/**
 * Pure: finds `@function` programs in Python text by their decorator line, for code lenses, which must
 * be there at once and stay while the language server starts or restarts. A test holds this against
 * the language server's own answer. Only a decorator inside a multi-line string is taken for one.
 */
import { splitTopLevel } from './python-text.ts';

export interface ScannedProgram {
  readonly name: string;
  /** 0-based line of the decorator. */
  readonly line: number;
  /** Parameters after the state parameter. */
  readonly parameters: readonly ScannedParameter[];
  /** Names of its `gen` and `select` calls that are written as text, in order. */
  readonly variables: readonly string[];
}

export interface ScannedParameter {
  readonly name: string;
  readonly annotation: string | null;
  readonly defaultValue: string | null;
}

const GENERATION = /\b(?:gen|gen_int|gen_string|select)\(\s*(?:name\s*=\s*)?(["'])([^"'\\\n]+)\1/g;

const IMPORT_MODULE = /^\s*import\s+sglang(?:\s+as\s+(\w+))?/gm;
const IMPORT_NAMES = /^\s*from\s+sglang(?:\.[\w.]+)?\s+import\s+(?:\(([^)]*)\)|(.*))/gm;

/** Names by which text that imports SGLang can write its decorator, e.g. `function` and `sgl.function`. */
function importedDecorators(text: string): string[] {
  const modules = [...text.matchAll(IMPORT_MODULE)].map(
    ([, alias]) => `${alias ?? 'sglang'}.function`,
  );
  const names = [...text.matchAll(IMPORT_NAMES)].flatMap(([, inside, line]) =>
    (inside ?? line ?? '').split(',').flatMap((part) => {
      const match = /^\s*(function|\*)\s*(?:as\s+(\w+))?\s*(?:#.*)?$/.exec(part);
      return match ? [match[2] ?? 'function'] : [];
    }),
  );
  return [...modules, ...names];
}

/** How a notebook's cells write it when the imports are in another cell. */
const USUAL_DECORATORS = ['function', 'sgl.function', 'sglang.function'];

/** Of a cell; `elsewhere` is text of other cells, whose imports count too. */
export function scanPrograms(text: string, elsewhere = ''): ScannedProgram[] {
  return scan(text, [
    ...USUAL_DECORATORS,
    ...importedDecorators(text),
    ...importedDecorators(elsewhere),
  ]);
}

/** Of a Python file, which imports what it uses: another library's `@function` is none of ours. */
export function scanFilePrograms(text: string): ScannedProgram[] {
  return scan(text, importedDecorators(text));
}

function scan(text: string, decorators: readonly string[]): ScannedProgram[] {
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const decorator = /^@([\w.]+)/.exec(line)?.[1];
    if (decorator === undefined || !decorators.includes(decorator)) return [];
    const rest = lines.slice(index).join('\n');
    const definition = /^(?:@.*\n)+(?:async\s+)?def\s+(\w+)\s*\(/.exec(rest);
    if (!definition) return [];
    const [matched, name = ''] = definition;
    const texts = splitTopLevel(rest.slice(matched.length), ',');
    const parameters = texts.filter((part) => !part.trim().startsWith('*')).map(parameter);
    return [
      {
        name,
        line: index,
        parameters: parameters.slice(1).filter((p) => p.name !== ''),
        variables: variablesOf(rest.slice(matched.length)),
      },
    ];
  });
}

/** `text` starts after the parameter list's opening parenthesis; the body ends at the next unindented line. */
function variablesOf(text: string): string[] {
  const end = /\n(?![\s)#])/.exec(text);
  const body = end ? text.slice(0, end.index) : text;
  return [...new Set([...body.matchAll(GENERATION)].map((match) => match[2] ?? ''))];
}

function parameter(text: string): ScannedParameter {
  const [declared = '', ...rest] = splitTopLevel(text, '=');
  const [name = '', ...annotation] = splitTopLevel(declared, ':');
  return {
    name: /^\s*(\w*)\s*$/.exec(name)?.[1] ?? '',
    annotation: annotation.join(':').trim() || null,
    defaultValue: rest.join('=').trim() || null,
  };
}
