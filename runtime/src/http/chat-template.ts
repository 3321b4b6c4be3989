import { Template } from '@huggingface/jinja';
import { objectError } from './errors.ts';
import type { JsonObject } from './json-fields.ts';
import { formatOfTemplate } from './tool-call-format.ts';
import type { ToolCallFormat } from './tool-call-format.ts';
import { withToolsInWords } from './tool-prompt.ts';
import type { Tool } from './tools.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  /** What else templates may read: `tool_calls`, `tool_call_id`, `name`, … */
  readonly extra: JsonObject;
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
  /** How a model with this template writes calls of tools. */
  readonly toolCallFormat: ToolCallFormat;
  readonly #template: Template;
  readonly tokens: ChatTokens;
  readonly #knowsTools: boolean;

  /** The model's own; null for models that bring none. */
  readonly source: string | null;

  /** Throws when `source` is not a Jinja template. */
  constructor(source: string | null, tokens: ChatTokens) {
    const text = source ?? CHATML;
    this.source = source;
    this.#template = new Template(text);
    this.tokens = tokens;
    this.#knowsTools = /\btools\b/.test(text);
    this.toolCallFormat = formatOfTemplate(text);
  }

  /**
   * The prompt for the next answer. A last message of the assistant is not closed: the answer
   * continues it, as in SGLang. A template that knows no tools gets them in words. Throws a 400 when
   * the template refuses the messages.
   */
  render(messages: readonly ChatMessage[], extra: JsonObject, tools: readonly Tool[] = []): string {
    const last = messages.at(-1);
    const continues = last?.role === 'assistant' && last.extra['tool_calls'] === undefined;
    const prefix = continues ? last.content : '';
    const before = continues ? messages.slice(0, -1) : messages;
    const inWords = !this.#knowsTools && (tools.length > 0 || before.some(usesTools));
    const shown = inWords ? withToolsInWords(before, tools) : before;
    try {
      const prompt = this.#template.render({
        messages: shown.map(({ role, content, extra }) => ({ ...extra, role, content })),
        ...(tools.length === 0 ? {} : { tools: tools.map(({ source }) => source) }),
        add_generation_prompt: true,
        bos_token: this.tokens.begin,
        eos_token: this.tokens.end,
        ...extra,
      });
      return withoutSecondBegin(prompt, this.tokens.begin) + prefix;
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

function usesTools({ role, extra }: ChatMessage): boolean {
  return role === 'tool' || extra['tool_calls'] !== undefined;
}

/** The tokeniser adds the begin token itself. */
function withoutSecondBegin(prompt: string, begin: string): string {
  return begin !== '' && prompt.startsWith(begin) ? prompt.slice(begin.length) : prompt;
}
