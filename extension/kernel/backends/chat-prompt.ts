/** What chat services can make of a program's prompt. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import { UnsupportedByBackendError, type GenerateParams, type Prompt } from './backend.ts';
import { imageMime } from './image-mime.ts';

/**
 * The dialogue before an answer. Chat services only answer whole messages.
 * @param wholeText whether a program without roles sends its text as one message of the user, as SGLang
 * does for every service but OpenAI's.
 * @throws UnsupportedByBackendError when the gen is not the first thing of an assistant's message.
 */
export function chatMessages(prompt: Prompt, wholeText = false): readonly JsonObject[] {
  const { open, messages } = prompt;
  if (open?.role === 'assistant' && open.text.trim() === '') return messages.map(withPartsInPlace);
  if (wholeText && open === undefined && messages.length === 0) return [textMessage(prompt)];
  throw new UnsupportedByBackendError(
    'This chat service only writes whole messages: sgl.gen must be right after sgl.assistant, as in ' +
      's += user(question) followed by s += assistant(gen("answer")).',
  );
}

function textMessage({ text, images }: Prompt): JsonObject {
  if (images.length === 0) return { role: 'user', content: text };
  const parts = images.map((data) => ({
    type: 'image_url',
    image_url: { url: `data:${imageMime(data)};base64,${data}` },
  }));
  return withPartsInPlace({ role: 'user', content: [{ type: 'text', text }, ...parts] });
}

const IMAGE_MARK = '<image>';

/**
 * SGLang's frontend puts a message's images behind its whole text, in which marks tell where they
 * belong. Services know no marks: text and images become parts in the order of the program.
 */
function withPartsInPlace(message: JsonObject): JsonObject {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const [first, ...images] = content;
  const text = isTextPart(first) ? first.text : '';
  const pieces = text.split(IMAGE_MARK);
  if (pieces.length - 1 !== images.length) return message;
  const parts = pieces.flatMap((piece, index): JsonValue[] => {
    const image = images[index];
    const shown = piece.trim() === '' ? [] : [{ type: 'text', text: piece }];
    return image === undefined ? shown : [...shown, image];
  });
  return { ...message, content: parts };
}

function isTextPart(part: JsonValue | undefined): part is { type: string; text: string } {
  return (
    typeof part === 'object' && part !== null && 'text' in part && typeof part['text'] === 'string'
  );
}

/** Only services that decode with our grammar take these. @throws UnsupportedByBackendError */
export function refuseGrammars(params: GenerateParams, service: string): void {
  if (params.regex !== null) {
    throw new UnsupportedByBackendError(
      `${service} cannot follow a regular expression (regex= and dtype= are one). ` +
        'Use json_schema=, or a RuntimeEndpoint.',
    );
  }
  if (params.extra['ebnf'] !== undefined) {
    throw new UnsupportedByBackendError(
      `${service} cannot follow a grammar (ebnf=). Use json_schema=, or a RuntimeEndpoint.`,
    );
  }
}

/** Only OpenAI's API takes a gen's `tools`. @throws UnsupportedByBackendError */
export function refuseTools(params: GenerateParams, service: string): void {
  if (params.extra['tools'] === undefined) return;
  throw new UnsupportedByBackendError(
    `${service} takes no tools= here. Use an OpenAI backend, which may name any compatible server, with a gen that is not streamed.`,
  );
}

/** A gen's `json_schema`, which programs give as text. @throws UnsupportedByBackendError */
export function schemaOf(schema: JsonValue): JsonObject | null {
  if (schema === null) return null;
  const value = typeof schema === 'string' ? parsed(schema) : schema;
  if (isObject(value)) return value;
  throw new UnsupportedByBackendError('json_schema must be the JSON text of an object.');
}

/** The schema of a decision: an object, because services do not take other roots. */
export function choiceSchema(choices: readonly string[]): JsonObject {
  return {
    type: 'object',
    properties: { choice: { type: 'string', enum: choices } },
    required: ['choice'],
    additionalProperties: false,
  };
}

/** Index of the decision in an answer to `choiceSchema`; -1 when it is none of them. */
export function chosenIndex(answer: JsonValue | undefined, choices: readonly string[]): number {
  const value = typeof answer === 'string' ? parsed(answer) : answer;
  const choice = isObject(value) ? value['choice'] : undefined;
  return typeof choice === 'string' ? choices.indexOf(choice) : -1;
}

/** Without scores, only SGLang's default way of deciding makes sense. @throws UnsupportedByBackendError */
export function requirePlainChoice(method: string): void {
  if (method === 'token_length_normalized') return;
  throw new UnsupportedByBackendError(
    `choices_method ${method} needs log probabilities of the choices, which this chat service does not give. ` +
      'Leave choices_method out, or use a RuntimeEndpoint.',
  );
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first item of a list field, if it is an object. */
export function firstObject(value: JsonValue | undefined): JsonObject | null {
  const [first] = Array.isArray(value) ? value : [];
  return isObject(first) ? first : null;
}

function parsed(text: string): JsonValue {
  try {
    // SAFETY: JSON.parse yields exactly the JSON values.
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}
