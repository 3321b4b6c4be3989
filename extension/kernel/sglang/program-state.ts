/**
 * The data of one program state: text, messages, variables, images. No queue and no network here;
 * `stream-executor.ts` changes it expression by expression.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { StateSegment } from '../../protocol/output-payloads.ts';
import type { Prompt } from '../backends/backend.ts';
import { imageMime } from '../backends/image-mime.ts';
import { roleAffixes, type ChatTemplate } from './chat-template.ts';
import { ProgramError } from './program-error.ts';

export type Message = JsonObject & { readonly role: string };

interface OpenRole {
  readonly role: string;
  /** Offset in `text` where the content of the message starts. */
  readonly start: number;
  /** Number of images before the block. */
  readonly images: number;
}

type GenSegment = Extract<StateSegment, { kind: 'gen' }>;

/** Largest image in a state's payload, characters of base64 (1.5 MiB of a file), and of all of them. */
const MOST_SHOWN = 2 << 20;
const MOST_SHOWN_OF_STATE = 4 << 20;

/** What Python strips: JavaScript's white space without the byte order mark, and five more characters. */
// oxlint-disable-next-line no-control-regex -- they are meant
const PYTHON_SPACE = /^(?:[\u001c-\u001f\u0085]|(?!\ufeff)\s)+/;

export class ProgramState {
  text = '';
  readonly messages: Message[] = [];
  /** Unnamed gens share the key `null`; the last one wins. */
  readonly variables = new Map<string | null, JsonValue>();
  readonly meta = new Map<string | null, JsonValue>();
  readonly images: string[] = [];
  readonly template: ChatTemplate;
  /** What this state added itself; a fork starts with none. */
  readonly segments: StateSegment[] = [];
  /** What it had when it was forked. */
  readonly inherited: readonly StateSegment[];
  /** Offset in `text` at which it was forked; 0 for a run. */
  readonly forkOffset: number;
  #role: OpenRole | null = null;

  constructor(template: ChatTemplate, parent: ProgramState | null) {
    this.template = template;
    this.inherited = parent === null ? [] : [...parent.inherited, ...parent.segments];
    this.forkOffset = parent === null ? 0 : parent.text.length;
    if (parent === null) return;
    this.text = parent.text;
    this.messages.push(...parent.messages);
    this.images.push(...parent.images);
    for (const [name, value] of parent.variables) this.variables.set(name, value);
    this.#role = parent.#role;
  }

  prompt(): Prompt {
    const prompt = { text: this.text, messages: this.messages, images: this.images };
    const open = this.#role;
    if (open === null) return prompt;
    return { ...prompt, open: { role: open.role, text: this.text.slice(open.start) } };
  }

  /** Text that the program wrote. */
  fill(text: string): void {
    this.text += text;
    if (text === '') return;
    const last = this.segments.at(-1);
    const role = this.#role?.role ?? null;
    if (last?.kind === 'text' && last.role === role) {
      this.segments[this.segments.length - 1] = { ...last, text: last.text + text };
    } else {
      this.segments.push({ kind: 'text', role, text });
    }
  }

  /** A template's default system prompt becomes a whole message before the first other role. */
  beginRole(role: string): void {
    if (this.#role !== null)
      throw new ProgramError('AssertionError', 'Nested roles are not allowed.');
    const prompt = this.template.defaultSystemPrompt;
    if (this.messages.length === 0 && role !== 'system' && prompt !== null) {
      this.#open('system');
      this.fill(prompt);
      this.endRole();
    }
    this.#open(role);
  }

  #open(role: string): void {
    this.text += roleAffixes(this.template, role, this.messages)[0];
    this.#role = { role, start: this.text.length, images: this.images.length };
  }

  /** The message's content loses leading white space; the text does not. */
  endRole(): void {
    const open = this.#role;
    if (open === null) throw new ProgramError('AssertionError', 'A role ended that had not begun.');
    const content = this.text.slice(open.start).replace(PYTHON_SPACE, '');
    const suffix = roleAffixes(this.template, open.role, this.messages)[1];
    this.messages.push({ role: open.role, content: this.#content(content, open) });
    this.text += suffix;
    this.#role = null;
    // A border, so that two messages of one role stay apart when shown.
    this.segments.push({ kind: 'text', role: null, text: '' });
  }

  /** With images, the content is a list of parts as in OpenAI's vision API. */
  #content(text: string, open: OpenRole): JsonValue {
    const images = this.images.slice(open.images);
    if (images.length === 0) return text;
    return [
      { type: 'text', text },
      ...images.map((data) => ({
        type: 'image_url',
        image_url: { url: `data:${imageMime(data)};base64,${data}` },
      })),
    ];
  }

  /** `shown` is what people see of it: a video's first frame. */
  addImage(base64: string, shown = base64): void {
    this.images.push(base64);
    this.text += this.template.imageToken;
    this.segments.push({
      kind: 'image',
      role: this.#role?.role ?? null,
      mime: imageMime(shown),
      ...this.#shownImage(shown),
    });
  }

  /** Of what is shown, and saved with notebooks, large images are left out. */
  #shownImage(base64: string): { base64: string; omittedBytes?: number } {
    const shown = this.segments.reduce(
      (sum, segment) => sum + (segment.kind === 'image' ? segment.base64.length : 0),
      0,
    );
    if (base64.length <= MOST_SHOWN && shown + base64.length <= MOST_SHOWN_OF_STATE) {
      return { base64 };
    }
    return { base64: '', omittedBytes: Math.floor((base64.length * 3) / 4) };
  }

  /** Opens the segment of a gen or select; `updateGen` fills it. */
  beginGen(name: string | null, source: 'gen' | 'select', constraint: string | null): void {
    const role = this.#role?.role ?? null;
    const empty = { text: '', timing: null, tokens: null, choices: null, request: null };
    this.segments.push({ kind: 'gen', role, name, source, constraint, ...empty });
  }

  updateGen(change: Partial<GenSegment>): void {
    const last = this.segments.at(-1);
    if (last?.kind === 'gen') this.segments[this.segments.length - 1] = { ...last, ...change };
  }

  /** `concate_and_append`: what a fork wrote after the fork point. */
  append(child: ProgramState): void {
    this.text += child.text.slice(child.forkOffset);
    this.segments.push(...child.segments);
  }
}
