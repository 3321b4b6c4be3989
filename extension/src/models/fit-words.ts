import { l10n } from 'vscode';
import type { FitWords } from './model-rows.ts';

/** The memory estimate in the user's language. */
export function fitWords(): FitWords {
  return {
    unknown: l10n.t('memory need unknown'),
    sum: (parts) =>
      l10n.t('{0}: {1} weights + {2} context + {3} buffers = {4} of {5} free', ...parts),
    share: (parts) => l10n.t('{0} of {1} layers on {2}, {3} free', ...parts),
    allLayers: (parts) => l10n.t('all {1} layers on {2}, {3} free', ...parts),
    verdicts: {
      fits: l10n.t('fits'),
      tight: l10n.t('tight'),
      'too big': l10n.t('too big'),
    },
  };
}
