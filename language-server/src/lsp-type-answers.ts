/** What of the type engine's answers reaches the editor, and how it reads there. */
import {
  DiagnosticSeverity,
  type CompletionItem,
  type Diagnostic,
  type Hover,
  type Location,
  type Position,
  type Range,
  type SignatureHelp,
  type TextEdit,
} from 'vscode-languageserver';

const hiddenUri = /-types$/;
const hiddenName =
  /^(?:_\w+_State|__sgl_as_\w+|__(?:Any|Awaitable|Callable|overload|(?:Async)?ProgramState|SglFunction))$/;

interface Place {
  readonly line: number;
  readonly character: number;
}

const isBefore = (a: Place, b: Place): boolean =>
  a.line < b.line || (a.line === b.line && a.character < b.character);

function overlaps(a: Diagnostic, b: Diagnostic): boolean {
  return !isBefore(a.range.end, b.range.start) && !isBefore(b.range.end, a.range.start);
}

const isSame = (a: Range, b: Range): boolean =>
  !isBefore(a.start, b.start) &&
  !isBefore(b.start, a.start) &&
  !isBefore(a.end, b.end) &&
  !isBefore(b.end, a.end);

/** Ours win: one place never has two reports, and a cell that is no Python has only ours. */
export function mergeDiagnostics(
  own: readonly Diagnostic[],
  engine: readonly Diagnostic[],
): Diagnostic[] {
  if (own.some((entry) => entry.code === 'syntax-error')) return [...own];
  const added = engine.filter(
    (entry) =>
      entry.severity !== DiagnosticSeverity.Hint &&
      entry.code !== 'reportUnusedExpression' &&
      !isNoise(entry) &&
      !isOfUnpacking(entry, engine) &&
      !own.some((other) => overlaps(entry, other)),
  );
  return [
    ...own,
    ...added.map((entry) => ({
      ...entry,
      message: typeof entry.message === 'string' ? readable(entry.message) : entry.message,
    })),
  ];
}

/** `gen("a", **options)`: the engine tries every value on every parameter, and reports each that does not fit. */
function isOfUnpacking(entry: Diagnostic, all: readonly Diagnostic[]): boolean {
  return (
    entry.code === 'reportArgumentType' &&
    all.some(
      (other) => other !== entry && other.code === entry.code && isSame(other.range, entry.range),
    )
  );
}

/**
 * To the engine states of different programs are different classes, and the `s` of a program in a
 * class is no instance of it. Authors know one `ProgramState`.
 */
function isNoise({ message }: Diagnostic): boolean {
  if (typeof message !== 'string') return false;
  // `q: str = None` is how people write what may be left out.
  if (message.startsWith('Expression of type "None" cannot be assigned to parameter')) return true;
  if (/^Type of parameter "\w+" must be a supertype of its class/.test(message)) return true;
  const quoted = [...message.matchAll(/"([^"]*)"/g)].map(([, type]) => type ?? '');
  const states = quoted.filter((type) => /\b(?:_\w+_State|ProgramState)\b/.test(type));
  return states.length > 1 && quoted.some((type) => /\b_\w+_State\b/.test(type));
}

/** The names of hidden classes as users know them. */
function readable(text: string): string {
  return text.replaceAll(/\b_\w+_State\b/g, 'ProgramState');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

export function cleanHover(answer: unknown): Hover | null {
  if (!isObject(answer) || !isObject(answer['contents'])) return null;
  const { contents } = answer;
  const { value } = contents;
  const text = typeof value === 'string' ? readable(value) : value;
  // SAFETY: a hover of the pinned engine, checked to have markup contents; only its text changed.
  return { ...answer, contents: { ...contents, value: text } } as unknown as Hover;
}

export function cleanCompletions(answer: unknown): CompletionItem[] {
  const list = isObject(answer) ? answer['items'] : answer;
  if (!Array.isArray(list)) return [];
  const items = list.filter(
    (item: unknown) =>
      isObject(item) && typeof item['label'] === 'string' && !hiddenName.test(item['label']),
  );
  // SAFETY: completion items of the pinned engine, each checked to have a label.
  return items as CompletionItem[];
}

/** Locations in hidden cells lead nowhere; `reveal` finds the place in the cell before it. */
export function cleanLocations(
  answer: unknown,
  reveal: (cellUri: string) => readonly Location[],
): Location[] {
  const places: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  return places.flatMap((place) => {
    if (!isObject(place) || !isObject(place['range']) || typeof place['uri'] !== 'string')
      return [];
    if (hiddenUri.test(place['uri'])) return reveal(place['uri'].replace(hiddenUri, ''));
    // SAFETY: a location of the pinned engine, checked to have a uri and a range.
    return [place as unknown as Location];
  });
}

/** Edits by uri, those of hidden cells left out; `null` when nothing is renamed. */
export function cleanRename(answer: unknown): Record<string, TextEdit[]> | null {
  const documents = isObject(answer) ? answer['documentChanges'] : null;
  if (!Array.isArray(documents)) return null;
  const changes: Record<string, TextEdit[]> = {};
  const entries: readonly unknown[] = documents;
  for (const document of entries) {
    if (!isObject(document) || !isObject(document['textDocument'])) continue;
    const { textDocument, edits } = document;
    const { uri } = textDocument;
    if (typeof uri !== 'string' || hiddenUri.test(uri) || !Array.isArray(edits)) continue;
    // SAFETY: the text edits of a document change of the pinned engine.
    changes[uri] = edits as TextEdit[];
  }
  return Object.keys(changes).length === 0 ? null : changes;
}

/** The range among these edits that a place is in. */
export function rangeAt(edits: readonly TextEdit[], place: Position): Range | null {
  const found = edits.find(
    ({ range }) => !isBefore(place, range.start) && !isBefore(range.end, place),
  );
  return found?.range ?? null;
}

export function cleanSignatureHelp(answer: unknown): SignatureHelp | null {
  if (!isObject(answer) || !Array.isArray(answer['signatures'])) return null;
  // SAFETY: signature help of the pinned engine, checked to have signatures; names made readable.
  return JSON.parse(readable(JSON.stringify(answer))) as SignatureHelp;
}
