/**
 * A model's own chat template, written in Jinja for whole dialogues, as the prefixes and suffixes that
 * programs need, which append role by role. They are read off from renderings of dialogues whose
 * contents are marks, and then compared with renderings of other dialogues: a template that cannot be
 * written this way is refused rather than approximated.
 */
import { Template } from '@huggingface/jinja';
import { roleAffixes, type ChatTemplate } from './chat-template.ts';

/** As in a model's `tokenizer_config.json`. */
export interface TemplateSource {
  readonly template: string;
  readonly begin: string;
  readonly end: string;
}

/** Why a template cannot be used; the message is for the user. */
export class UnusableTemplateError extends Error {
  readonly code = 'UNUSABLE_TEMPLATE';
}

type Role = 'system' | 'user' | 'assistant';
type Message = readonly [role: Role, content: string];
type Affixes = readonly [prefix: string, suffix: string];

const [SYSTEM, USER, ANSWER, SECOND] = ['qSYSq', 'qUSERq', 'qANSWERq', 'qSECONDq'] as const;
const QUESTION: Message = ['user', USER];

/** Dialogues that a derived template must write as the original does. */
const PROOFS: readonly (readonly Message[])[] = [
  [['user', 'What is 2 + 2?']],
  [
    ['user', 'Name a colour.\n\nOnly one.'],
    ['assistant', 'Blue.\n- the sky'],
    ['user', 'Why?'],
  ],
  [
    ['system', 'Be brief.\nBe kind.'],
    ['user', 'Hello'],
    ['assistant', 'Hi'],
    ['user', '1'],
    ['assistant', 'one'],
    ['user', '2'],
  ],
];

/** @throws UnusableTemplateError */
export function templateOfModel(name: string, source: TemplateSource): ChatTemplate {
  const renderer = new Renderer(source);
  const { lead, ...turns } = readTurns(renderer, source);
  const template: ChatTemplate = {
    name,
    ...turns,
    stop: stopOf(turns.roles.assistant[1]),
    imageToken: imageToken(renderer, turns.roles.user) ?? '<image>',
    audioToken: '<audio>',
  };
  for (const proof of PROOFS) compare(renderer, template, proof, { lead, end: source.end });
  return template;
}

class Renderer {
  readonly #template: Template;
  readonly #source: TemplateSource;

  constructor(source: TemplateSource) {
    this.#source = source;
    try {
      this.#template = new Template(source.template);
    } catch (error) {
      throw new UnusableTemplateError(`it cannot be read: ${messageOf(error)}`);
    }
  }

  /** `asks`: up to where the model's answer begins. Without the begin token, which tokenisers add. */
  render(dialogue: readonly Message[], asks = false): string {
    return this.#render(
      dialogue.map(([role, content]) => ({ role, content })),
      asks,
    );
  }

  /** A user's message that is an image and a text; `null` when the template knows no such parts. */
  renderImage(text: string): string | null {
    const content = [{ type: 'image' }, { type: 'text', text }];
    try {
      return this.#render([{ role: 'user', content }], false);
    } catch {
      return null;
    }
  }

  #render(messages: readonly object[], asks: boolean): string {
    const { begin, end } = this.#source;
    try {
      const text = this.#template.render({
        messages,
        add_generation_prompt: asks,
        bos_token: begin,
        eos_token: end,
      });
      return begin !== '' && text.startsWith(begin) ? text.slice(begin.length) : text;
    } catch (error) {
      throw new UnusableTemplateError(`it refuses a plain dialogue: ${messageOf(error)}`);
    }
  }
}

interface Turns {
  readonly defaultSystemPrompt: string | null;
  readonly roles: Readonly<Record<Role, Affixes>>;
  readonly style: 'plain' | 'llama2';
  /** White space that the template puts before an answer, and a model writes itself. */
  readonly lead: string;
}

function readTurns(renderer: Renderer, { begin, end }: TemplateSource): Turns {
  const answered: Message[] = [QUESTION, ['assistant', ANSWER]];
  const beforeAnswer = between(renderer.render(answered), USER, ANSWER);
  const toSecond = between(renderer.render([...answered, ['user', SECOND]]), ANSWER, SECOND);
  const afterUser = closing(after(renderer.render([QUESTION]), USER), beforeAnswer, end);
  const answerEnd = closing(after(renderer.render(answered), ANSWER), toSecond, end);
  // A begin token before every turn is the end of the answer before it, as in SGLang's templates.
  const afterAnswer = toSecond.startsWith(answerEnd + begin) ? answerEnd + begin : answerEnd;
  const user: Affixes = [without(toSecond, afterAnswer, 'start'), afterUser];
  const past = without(beforeAnswer, afterUser, 'start');
  const next = without(after(renderer.render([QUESTION], true), USER), afterUser, 'start');
  const lead = past.startsWith(next) ? past.slice(next.length) : '';
  const opens = lead.trim() === '' ? past.slice(0, past.length - lead.length) : past;
  const system = readSystem(renderer, user);
  return {
    defaultSystemPrompt: defaultPrompt(before(renderer.render([QUESTION]), USER), user, system),
    roles: { system: system?.affixes ?? ['', ''], user, assistant: [opens, afterAnswer] },
    style: system?.style ?? 'plain',
    lead: past.slice(opens.length),
  };
}

/** What closes a message, from the text after it at a dialogue's end, where some put an end token. */
function closing(atEnd: string, inside: string, end: string): string {
  const short = end !== '' && atEnd.endsWith(end) ? atEnd.slice(0, -end.length) : atEnd;
  return inside.startsWith(atEnd) ? atEnd : without(inside, without(inside, short, 'start'), 'end');
}

interface SystemTurn {
  readonly affixes: Affixes;
  /** `llama2`: it stands inside of the first user's message. */
  readonly style: 'plain' | 'llama2';
}

/** `null` for templates that take no system message. */
function readSystem(renderer: Renderer, [userPrefix]: Affixes): SystemTurn | null {
  let text: string;
  try {
    text = renderer.render([['system', SYSTEM], QUESTION]);
  } catch {
    return null;
  }
  if (!text.includes(SYSTEM)) return null;
  const [opening, middle] = [before(text, SYSTEM), between(text, SYSTEM, USER)];
  if (userPrefix !== '' && middle.endsWith(userPrefix))
    return { affixes: [opening, without(middle, userPrefix, 'end')], style: 'plain' };
  return { affixes: [without(opening, userPrefix, 'start'), middle], style: 'llama2' };
}

/** What the template says for a system that the dialogue does not have. `opening`: all before its first text. */
function defaultPrompt(opening: string, user: Affixes, system: SystemTurn | null): string | null {
  if (opening === user[0]) return null;
  const [prefix, suffix] = system?.affixes ?? ['', ''];
  const folded = system?.style === 'llama2';
  const rest = without(opening, folded ? user[0] + prefix : prefix, 'start');
  return without(rest, folded ? suffix : suffix + user[0], 'end');
}

/** What marks the end of an answer: the first tag of its suffix, or all of it without white space. */
function stopOf(suffix: string): readonly string[] {
  const text = suffix.trim();
  const stop = /^<[^<>]+>/.exec(text)?.[0] ?? text;
  return stop === '' ? [] : [stop];
}

/** What stands for an image before a text; `null` when the template does not say. */
function imageToken(renderer: Renderer, [prefix]: Affixes): string | null {
  const text = renderer.renderImage(USER);
  const at = text?.indexOf(USER) ?? -1;
  if (text === null || at < 0) return null;
  const opening = text.slice(0, at);
  const start = opening.lastIndexOf(prefix);
  const token = start < 0 ? '' : opening.slice(start + prefix.length);
  return token === '' || /[[{]['"]?type/.test(token) ? null : token;
}

/** @throws UnusableTemplateError when both write the dialogue differently. */
function compare(
  renderer: Renderer,
  template: ChatTemplate,
  given: readonly Message[],
  { lead, end }: { readonly lead: string; readonly end: string },
): void {
  const first = given[0]?.[0];
  if (first === 'system' && template.roles['system']?.join('') === '') return; // it takes none
  const { defaultSystemPrompt: prompt } = template;
  const dialogue: Message[] =
    first !== 'system' && prompt !== null ? [['system', prompt], ...given] : [...given];
  const past: { role: string }[] = [];
  let text = '';
  for (const [role, content] of dialogue) {
    const [prefix, suffix] = roleAffixes(template, role, past);
    text += prefix + (role === 'assistant' ? lead : '') + content + suffix;
    past.push({ role });
  }
  const [answer] = roleAffixes(template, 'assistant', past);
  const rendered = renderer.render(given);
  const asking = renderer.render(given, true);
  const same = rendered === text || rendered === text + end;
  if (!same || !asking.startsWith(text + answer))
    throw new UnusableTemplateError(
      'what it writes for a role depends on the rest of the dialogue',
    );
}

function before(text: string, mark: string): string {
  return text.slice(0, position(text, mark));
}

function after(text: string, mark: string): string {
  return text.slice(position(text, mark) + mark.length);
}

function between(text: string, first: string, second: string): string {
  return before(after(text, first), second);
}

function position(text: string, mark: string): number {
  const at = text.indexOf(mark);
  if (at < 0) throw new UnusableTemplateError('it leaves out a message, or changes its text');
  return at;
}

/** The text less what it must start or end with. */
function without(text: string, part: string, side: 'start' | 'end'): string {
  if (side === 'start' && text.startsWith(part)) return text.slice(part.length);
  if (side === 'end' && text.endsWith(part)) return text.slice(0, text.length - part.length);
  throw new UnusableTemplateError('its turns do not always begin and end alike');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
