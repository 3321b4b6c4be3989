/** Pure: a prompt preview as a page of plain text. */
import type { PreviewAnswer, PreviewText } from '../../protocol/kernel-protocol.ts';

/** The sentences of the page's head, from whoever knows the user's language. */
export interface PreviewWords {
  readonly tokens: (count: number, isExact: boolean) => string;
  readonly template: (name: string, model: string | null) => string;
  readonly assumed: (name: string, value: string) => string;
  readonly ended: (reason: string) => string;
  readonly fork: (number: number, count: number) => string;
}

/** `call` is the program with its arguments. */
export function previewPage(call: string, answer: PreviewAnswer, words: PreviewWords): string {
  const head = [
    call,
    words.template(answer.template, answer.model),
    words.tokens(answer.tokens.count, answer.tokens.exact),
    ...answer.assumed.map(([name, value]) => words.assumed(name, value)),
    ...(answer.ended === null ? [] : [words.ended(answer.ended)]),
  ];
  return `${head.join('\n')}\n${'─'.repeat(72)}\n${body(answer.prompt, words)}`;
}

function body({ text, forks }: PreviewText, words: PreviewWords): string {
  const branches = forks.map((fork, index) => {
    const title = `── ${words.fork(index + 1, forks.length)} `;
    return `\n${title}${'─'.repeat(Math.max(0, 72 - title.length))}\n${body(fork, words)}`;
  });
  return text + branches.join('\n');
}
