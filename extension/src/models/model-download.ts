/** Downloads and links with a notification that shows progress and can be cancelled. */
import { l10n, ProgressLocation, window } from 'vscode';
import { byteText } from '../../model-manager/byte-text.ts';
import type { DownloadProgress } from '../../model-manager/download.ts';
import { ModelManagerError } from '../../model-manager/model-error.ts';
import type { ImportableModel } from '../../model-manager/import-sources.ts';
import type { ModelManager, PullOptions } from '../../model-manager/model-manager.ts';
import type { InstalledModel } from '../../model-manager/model-store.ts';

/**
 * `null` when it was cancelled or failed, which the user has been told. A cancelled download continues
 * where it stopped when it is started again.
 */
export function downloadModel(
  manager: ModelManager,
  name: string,
  stop?: AbortSignal,
): Promise<InstalledModel | null> {
  const fetchIt = async (options: PullOptions): Promise<InstalledModel> =>
    manager.pull(await manager.plan(name, options.signal), options);
  return withProgress(l10n.t('Downloading {0}', name), fetchIt, stop);
}

/** As `downloadModel`; a cancelled link is gone. */
export function linkModel(
  manager: ModelManager,
  model: ImportableModel,
): Promise<InstalledModel | null> {
  const title = l10n.t('Linking {0}', model.name);
  return withProgress(title, (options) => manager.import(model, options));
}

async function withProgress(
  title: string,
  action: (options: PullOptions) => Promise<InstalledModel>,
  stop?: AbortSignal,
): Promise<InstalledModel | null> {
  const cancelled = new AbortController();
  const signal = stop ? AbortSignal.any([stop, cancelled.signal]) : cancelled.signal;
  try {
    return await window.withProgress(
      { location: ProgressLocation.Notification, title, cancellable: true },
      async (progress, token) => {
        token.onCancellationRequested(() => cancelled.abort());
        let shown = 0;
        return action({
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
