/** Asks on the terminal what to do about a model that is not on this machine. */
import { byteText } from '../model-manager/byte-text.ts';
import type { ModelAsker, ModelDecision, ModelQuestion } from '../model-manager/model-answers.ts';
import { ModelManagerError } from '../model-manager/model-error.ts';
import type { ModelManager } from '../model-manager/model-manager.ts';
import type { InputPrompt } from './input-prompt.ts';
import { fitText, ProgressLine } from './models-command.ts';
import { plainText } from './terminal-filter.ts';
import { paint, type Terminal } from './terminal.ts';

export class TerminalModelAsker implements ModelAsker {
  readonly #manager: ModelManager;
  readonly #terminal: Terminal;
  readonly #input: InputPrompt;

  constructor(manager: ModelManager, terminal: Terminal, input: InputPrompt) {
    this.#manager = manager;
    this.#terminal = terminal;
    this.#input = input;
  }

  async decide({ name, entry, fit }: ModelQuestion): Promise<ModelDecision> {
    const about =
      entry === null
        ? 'from Hugging Face, if there are GGUF files of it'
        : `~${byteText(entry.approximateBytes)}, ${entry.licence}; ${fitText(fit)}`;
    this.#say('notice', `The model ${name} is not on this machine.`);
    this.#say('plain', `  d      download it (${about})`);
    this.#say('plain', '  s      run the bundled starter model, and do not ask here again');
    this.#say('plain', '  Enter  run the bundled starter model this time');
    for (;;) {
      this.#terminal.write('[d/s/Enter] ');
      const line = await this.#input.readLine(false);
      switch (line?.trim().toLowerCase()) {
        case 'd':
          return { kind: 'download' };
        case 's':
          return { kind: 'starter' };
        case '':
        case undefined:
          return { kind: 'later' };
        default:
          this.#say('notice', 'Type d, s or nothing, then Enter.');
      }
    }
  }

  async download(name: string, signal: AbortSignal): Promise<boolean> {
    const bar = new ProgressLine(this.#terminal);
    try {
      const plan = await this.#manager.plan(name, signal);
      await this.#manager.pull(plan, { signal, onProgress: (at) => bar.show(at) });
      return true;
    } catch (error) {
      if (!(error instanceof ModelManagerError)) throw error;
      this.#say('error', error.message);
      return false;
    } finally {
      bar.end();
    }
  }

  #say(style: 'plain' | 'notice' | 'error', text: string): void {
    this.#terminal.write(`${paint(this.#terminal, style, plainText(text))}\n`);
  }
}
