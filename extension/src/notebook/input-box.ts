/** `input()` of a cell: a box that names the cell, stays open, and closes when the cell ends. */
import { CancellationTokenSource, l10n, window } from 'vscode';
import type { InputQuestion } from '../kernel-client/kernel-session.ts';

/** The typed line; `null` when the user dismisses the box (end of input) or the cell has ended. */
export async function askUser(question: InputQuestion, over: AbortSignal): Promise<string | null> {
  const cancellation = new CancellationTokenSource();
  over.addEventListener('abort', () => cancellation.cancel(), { once: true });
  try {
    const answer = await window.showInputBox(
      {
        title: l10n.t('Input for {0}', question.cell.label),
        prompt: question.prompt,
        password: question.password,
        ignoreFocusOut: true,
      },
      cancellation.token,
    );
    return answer ?? null;
  } finally {
    cancellation.dispose();
  }
}
