import { Template } from '@huggingface/jinja';
import { objectError } from './errors.ts';
import type { JsonObject } from './json-fields.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatTokens {
  readonly begin: string;
  readonly end: string;
}

/** For models that bring no template; also that of the starter model. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Messages to prompt text by the model's own Jinja template. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokens: ChatTokens;

  /** Throws when `source` is not a Jinja template. */
  constructor(source: string | null, tokens: ChatTokens) {
    this.#template = new Template(source ?? CHATML);
    this.#tokens = tokens;
  }

  /**
   * The prompt for the next answer. A last message of the assistant is not closed: the answer
   * continues it, as in SGLang. Throws a 400 when the template refuses the messages.
   */
  render(messages: readonly ChatMessage[], extra: JsonObject): string {
    const last = messages.at(-1);
    const prefix = last?.role === 'assistant' ? last.content : '';
    const shown = last?.role === 'assistant' ? messages.slice(0, -1) : messages;
    try {
      const prompt = this.#template.render({
        messages: shown.map((message) => ({ ...message })),
        add_generation_prompt: true,
        bos_token: this.#tokens.begin,
        eos_token: this.#tokens.end,
        ...extra,
      });
      return withoutSecondBegin(prompt, this.#tokens.begin) + prefix;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw objectError(
        400,
        `The chat template refused the messages: ${message}`,
        'BadRequestError',
      );
    }
  }
}

/** The tokeniser adds the begin token itself. */
function withoutSecondBegin(prompt: string, begin: string): string {
  return begin !== '' && prompt.startsWith(begin) ? prompt.slice(begin.length) : prompt;
}
