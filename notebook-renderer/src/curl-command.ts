/** The request as a shell command; quotes inside the body are closed, escaped and opened again. */
export function curlCommand(request: { readonly url: string; readonly body: unknown }): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    `curl ${quoted(request.url)}`,
    `  -H 'Content-Type: application/json'`,
    `  -d ${quoted(JSON.stringify(request.body, null, 2))}`,
  ].join(' \\\n');
}
