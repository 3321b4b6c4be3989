/** What stays of a question of `input()`, as a terminal shows it. `null`: the input ended. */
export function answeredText(prompt: string, password: boolean, answer: string | null): string {
  return `${prompt}${password || answer === null ? '' : answer}\n`;
}
