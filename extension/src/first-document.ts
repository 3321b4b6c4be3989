/** Waits for the first document that is worth a process. */
import { workspace, type Disposable, type TextDocument } from 'vscode';

/** Calls `start` once: now, or as soon as a document in one of these languages is open. */
export function onFirstDocument(languages: readonly string[], start: () => void): Disposable {
  const isServed = ({ languageId }: TextDocument): boolean => languages.includes(languageId);
  const subscription = workspace.onDidOpenTextDocument((document) => {
    if (!isServed(document)) return;
    subscription.dispose();
    start();
  });
  if (workspace.textDocuments.some(isServed)) {
    subscription.dispose();
    start();
  }
  return subscription;
}
