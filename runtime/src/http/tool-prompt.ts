import { isJsonObject } from './json-fields.ts';
import type { ChatMessage } from './chat-template.ts';
import type { Tool } from './tools.ts';

/**
 * Tools, calls and their results as plain messages, for chat templates that know nothing of tools.
 * The wording is that of the Hermes format, which most models that call functions have seen.
 */
export function withToolsInWords(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
): ChatMessage[] {
  const plain = messages.map(inWords);
  const instructions = instructionsFor(tools);
  const [first, ...rest] = plain;
  if (first?.role !== 'system') {
    return [{ role: 'system', content: instructions, extra: {} }, ...plain];
  }
  return [{ ...first, content: `${first.content}\n\n${instructions}` }, ...rest];
}

function instructionsFor(tools: readonly Tool[]): string {
  const list = tools.map(({ source }) => JSON.stringify(source)).join('\n');
  return `You may call functions. Their signatures:
<tools>
${list}
</tools>
To call one, answer with its name and arguments as JSON within <tool_call></tool_call>:
<tool_call>
{"name": <function name>, "arguments": <arguments as an object>}
</tool_call>`;
}

function inWords(message: ChatMessage): ChatMessage {
  const { role, content, extra } = message;
  if (role === 'tool') {
    return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>`, extra: {} };
  }
  const calls = extra['tool_calls'];
  if (!Array.isArray(calls)) return message;
  const texts = calls.map((call: unknown) => {
    const made = isJsonObject(call) ? call['function'] : null;
    return `<tool_call>\n${JSON.stringify(made)}\n</tool_call>`;
  });
  return { role, content: [content, ...texts].filter((text) => text !== '').join('\n'), extra: {} };
}
