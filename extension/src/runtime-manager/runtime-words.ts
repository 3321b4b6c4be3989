/** The state of a runtime in words, for the views. */
import { l10n } from 'vscode';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import { describeRuntime } from './runtime-info.ts';
import type { RuntimeHealth } from './runtime-monitor.ts';

/** What is to be seen of it at a glance. */
export type RuntimeMood = 'well' | 'restarting' | 'silent' | 'failed';

export function runtimeMood(
  { restart, failure }: ChildProcessInfo,
  health: RuntimeHealth | undefined,
): RuntimeMood {
  if (failure) return 'failed';
  if (restart) return 'restarting';
  return health?.kind === 'silent' ? 'silent' : 'well';
}

/** Empty when nothing is known yet. */
export function runtimeText(
  { restart, failure }: ChildProcessInfo,
  health: RuntimeHealth | undefined,
): string {
  if (failure) return l10n.t('ended again and again, not restarted');
  if (restart) return l10n.t('restarting, attempt {0} of {1}', restart.attempt, restart.of);
  switch (health?.kind) {
    case undefined:
      return '';
    case 'starting':
      return l10n.t('starting');
    case 'silent':
      return l10n.t('silent for {0} s', Math.round((performance.now() - health.since) / 1000));
    case 'ready':
      return describeRuntime(health.info, {
        // Of the latest generation; cells say what theirs took together.
        speed: (rate) => l10n.t('last {0} tok/s', rate),
        cached: (percent) => l10n.t('{0} % cached', percent),
        gpu: (used, total) => l10n.t('GPU {0} of {1}', used, total),
      });
    default:
      return health satisfies never;
  }
}
