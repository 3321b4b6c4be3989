/** What the status beside a cell's language says of its server. Of VS Code only what it uses is there. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LanguageStatus } from '../../extension/src/language-status.ts';

const item = vi.hoisted(() => ({ text: '', detail: '', severity: -1, busy: false }));

vi.mock('vscode', () => ({
  l10n: { t: (text: string) => text },
  window: { onDidChangeActiveTextEditor: () => ({ dispose: () => undefined }) },
  LanguageStatusSeverity: { Information: 0, Warning: 1, Error: 2 },
  languages: { createLanguageStatusItem: () => Object.assign(item, { dispose: () => undefined }) },
}));

const nothing = { dispose: () => undefined };
const State = { Stopped: 1, Starting: 3, Running: 2, StartFailed: 4 };
let status: LanguageStatus;
let change: (state: number) => void;
let loseTypes: () => void;

beforeEach(() => {
  const client = {
    state: State.Starting,
    onDidChangeState: (listener: (event: { newState: number }) => void) => {
      change = (newState) => {
        client.state = newState;
        listener({ newState });
      };
      return nothing;
    },
    onNotification: (_: string, listener: () => void) => {
      loseTypes = listener;
      return nothing;
    },
  };
  const parts: unknown = [client, State];
  // SAFETY: of the client, these are what it uses.
  status = new LanguageStatus(...(parts as ConstructorParameters<typeof LanguageStatus>));
});
afterEach(() => status.dispose());

it.each([
  ['Starting', /starting$/, '', 0],
  ['Running', /running$/, '', 0],
  ['Stopped', /stopped$/, 'no completion, hovers or diagnostics of SGLang', 2],
  ['StartFailed', /stopped$/, 'no completion, hovers or diagnostics of SGLang', 2],
] as const)('says that the server is %s', (state, text, detail, severity) => {
  change(State[state]);
  expect(item).toMatchObject({ text: expect.stringMatching(text), detail, severity });
  expect(item.busy).toBe(state === 'Starting');
});

it('warns when types of plain Python are missing, until the server starts again', () => {
  change(State.Running);
  loseTypes();
  expect(item).toMatchObject({
    text: 'SGLang language server: running',
    detail: expect.stringMatching(/^no types of plain Python/),
    severity: 1,
  });
  change(State.Starting);
  expect(item).toMatchObject({ detail: '', severity: 0 });
});
