/**
 * Pure: finds `@function` programs in Python text by their decorator line, for code lenses that must
 * work before the language server runs. Strings and comments that hold such a line are skipped only
 * when they do not start one; the language server's answer replaces this one where it is available.
 */
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

const DECORATOR = /^@(?:\w+\.)?function\b/;

export function scanPrograms(text: string): ScannedProgram[] {
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, index) => {
    if (!DECORATOR.test(line)) return [];
    const rest = lines.slice(index).join('\n');
    const definition = /^(?:@.*\n)+(?:async\s+)?def\s+(\w+)\s*\(/.exec(rest);
    if (!definition) return [];
    const [matched, name = ''] = definition;
    const parameters = argumentTexts(rest.slice(matched.length)).map(parameter);
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

/** Parts between commas up to the parenthesis that closes the one already open. */
function argumentTexts(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let part = '';
  for (const character of text) {
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    if (depth < 0) break;
    if (character === ',' && depth === 0 && quote === '') {
      parts.push(part);
      part = '';
    } else part += character;
  }
  if (part.trim() !== '') parts.push(part);
  return parts;
}

function parameter(text: string): ScannedParameter {
  const match = /^\s*\**(\w*)\s*(?::\s*([^=]+?))?\s*(?:=\s*([\s\S]*?))?\s*$/.exec(text);
  return {
    name: match?.[1] ?? '',
    annotation: match?.[2] ?? null,
    defaultValue: match?.[3] ?? null,
  };
}
