/** Chat templates: the text around each role, and which template a model path gets. */
import type { WireChatTemplate as ChatTemplate } from '../guest/bridge-protocol.ts';
import { CHAT_TEMPLATES } from './chat-templates.ts';

export type { WireChatTemplate as ChatTemplate } from '../guest/bridge-protocol.ts';

/** What the renderer needs to know of the messages before a role. */
export interface PastMessage {
  readonly role: string;
}

/**
 * Prefix and suffix of a role, given the messages before it. Llama 2 folds a leading system message
 * into the first user turn, so there the system block opens the turn and the user block does not.
 */
export function roleAffixes(
  template: ChatTemplate,
  role: string,
  past: readonly PastMessage[],
): readonly [prefix: string, suffix: string] {
  const [prefix, suffix] = template.roles[role] ?? ['', ''];
  if (template.style === 'llama2') {
    if (role === 'system' && past.length === 0) {
      return [(template.roles['user']?.[0] ?? '') + (template.roles['system']?.[0] ?? ''), suffix];
    }
    if (role === 'user' && past.length === 1 && past[0]?.role === 'system') return ['', suffix];
  }
  return [prefix, suffix];
}

type Matcher = readonly [template: string, matches: (path: string) => boolean];

const all =
  (...words: string[]) =>
  (path: string) =>
    words.every((word) => path.includes(word));
const any =
  (...words: string[]) =>
  (path: string) =>
    words.some((word) => path.includes(word));

/**
 * SGLang's rules, first hit wins, on the lower-case model path: those of v0.4.3, with the models that
 * v0.5.6 added put before the general rule of their family.
 */
const MATCHERS: readonly Matcher[] = [
  ['deepseek-v3', (p) => any('deepseek-v3', 'deepseek-r1')(p) && !p.includes('base')],
  ['claude', any('orion')],
  ['dbrx-instruct', all('dbrx', 'instruct')],
  ['vicuna_v1.1', any('vicuna', 'llava-v1.5', 'llava-next-video-7b')],
  [
    'llama-2-chat',
    (p) => (/llama-2.*chat/.test(p) || /codellama.*instruct/.test(p)) && !p.includes('pixtral'),
  ],
  ['mistral', any('pixtral')],
  ['llama-2-chat', (p) => any('mistral', 'mixtral')(p) && p.includes('instruct')],
  ['llama-3-instruct', all('llama-3', 'instruct')],
  ['chatml', any('tinyllama')],
  ['janus-pro', any('janus')],
  ['qwen2-vl', (p) => /qwen.*vl/.test(p)],
  ['qwen', (p) => p.includes('qwen') && any('chat', 'instruct')(p) && !p.includes('llava')],
  [
    'chatml-llava',
    any('llava-v1.6-34b', 'llava-v1.6-yi-34b', 'llava-next-video-34b', 'llava-onevision-qwen2'),
  ],
  ['glm-4v', (p) => /glm-?4.*v/.test(p)],
  ['minicpmo', any('minicpm-o')],
  ['minicpmv', any('minicpm-v')],
  ['yi-vl', (p) => p.includes('yi-vl') && !p.includes('llava')],
  ['yi-1.5', all('yi-1.5', 'chat')],
  ['gemma-it', (p) => p.includes('gemma') && p.includes('it')],
  ['c4ai-command-r', any('c4ai-command-r')],
  ['granite-3-instruct', all('granite', 'instruct')],
  ['internvl-2-5', (p) => /internvl2[_.]5/.test(p)],
  ['interns1', (p) => /intern-?s1/.test(p)],
];

/** Families that SGLang's rules leave to "default", although they speak one of the templates. */
const FURTHER_MATCHERS: readonly Matcher[] = [
  ['chatml', any('qwen3', 'smollm')],
  ['llama-4', all('llama-4', 'instruct')],
  // The model that ships with this project speaks ChatML with Qwen's default system prompt.
  ['qwen', any('starter')],
];

export class UnknownChatTemplateError extends Error {
  readonly code = 'UNKNOWN_CHAT_TEMPLATE';
  readonly pythonType = 'KeyError';
}

/** The templates that programs can name: SGLang's, plus those registered in this kernel. */
export class ChatTemplateRegistry {
  readonly #templates = new Map(CHAT_TEMPLATES.map((template) => [template.name, template]));

  /** @throws UnknownChatTemplateError naming the templates that exist. */
  get(name: string): ChatTemplate {
    const template = this.#templates.get(name);
    if (template === undefined) {
      const names = [...this.#templates.keys()].join(', ');
      throw new UnknownChatTemplateError(
        `There is no chat template "${name}". Known templates: ${names}. Add your own with register_chat_template.`,
      );
    }
    return template;
  }

  register(template: ChatTemplate): void {
    this.#templates.set(template.name, template);
  }

  all(): readonly ChatTemplate[] {
    return [...this.#templates.values()];
  }

  /** What SGLang chooses for a model path; `null` when none of its rules matches. */
  matchAsSglang(modelPath: string): ChatTemplate | null {
    return this.#first(MATCHERS, modelPath);
  }

  /** By SGLang's rules, then by ours; `default` when no rule matches. */
  match(modelPath: string): ChatTemplate {
    const found = this.matchAsSglang(modelPath) ?? this.#first(FURTHER_MATCHERS, modelPath);
    return found ?? this.get('default');
  }

  #first(matchers: readonly Matcher[], modelPath: string): ChatTemplate | null {
    const path = modelPath.toLowerCase();
    const hit = matchers.find(([, matches]) => matches(path));
    return hit === undefined ? null : this.get(hit[0]);
  }
}
