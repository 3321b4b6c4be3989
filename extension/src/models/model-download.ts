/** Downloads with a notification that shows progress and can be cancelled. */
import { l10n, ProgressLocation, window } from 'vscode';
import { byteText } from '../../model-manager/byte-text.ts';
import type { DownloadProgress } from '../../model-manager/download.ts';
import { ModelManagerError } from '../../model-manager/model-error.ts';
import type { ModelManager } from '../../model-manager/model-manager.ts';
import type { InstalledModel } from '../../model-manager/model-store.ts';

/**
 * `null` when it was cancelled or failed, which the user has been told. A cancelled download continues
 * where it stopped when it is started again.
 */
export async function downloadModel(
  manager: ModelManager,
  name: string,
  stop?: AbortSignal,
): Promise<InstalledModel | null> {
  const cancelled = new AbortController();
  const signal = stop ? AbortSignal.any([stop, cancelled.signal]) : cancelled.signal;
  try {
    return await window.withProgress(
      {
        location: ProgressLocation.Notification,
        title: l10n.t('Downloading {0}', name),
        cancellable: true,
      },
      async (progress, token) => {
        token.onCancellationRequested(() => cancelled.abort());
        const plan = await manager.plan(name, signal);
        let shown = 0;
        return manager.pull(plan, {
          signal,
          onProgress: (at) => {
            const percent = (at.received / at.total) * 100;
            if (percent - shown < 0.2 && percent < 100) return;
            progress.report({ increment: percent - shown, message: progressText(at) });
            shown = percent;
          },
        });
      },
    );
  } catch (error) {
    if (!(error instanceof ModelManagerError)) throw error;
    if (error.code !== 'CANCELLED') void window.showErrorMessage(error.message);
    return null;
  }
}

function progressText({ received, total, bytesPerSecond, phase }: DownloadProgress): string {
  const amounts = `${byteText(received)} / ${byteText(total)}`;
  if (phase === 'checking') return l10n.t('checking what is here: {0}', amounts);
  return bytesPerSecond > 0 ? `${amounts}, ${byteText(bytesPerSecond)}/s` : amounts;
}
