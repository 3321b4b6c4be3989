/**
 * Under a cell: what its last run generated, how fast, how much of the prompts was cached, and whether
 * that is out of date.
 */
import {
  EventEmitter,
  l10n,
  NotebookCellStatusBarAlignment,
  NotebookCellStatusBarItem,
  type Disposable,
  type NotebookCell,
  type NotebookCellStatusBarItemProvider,
} from 'vscode';
import { cachedShare, tokensPerSecond, type CellTotals } from './gen-records.ts';
import type { NotebookInsight } from './notebook-insight.ts';
import type { Staleness } from './stale-cells.ts';

export class GenStatusProvider implements NotebookCellStatusBarItemProvider, Disposable {
  readonly #insight: NotebookInsight;
  readonly #changed = new EventEmitter<void>();
  readonly #subscription: Disposable;
  readonly onDidChangeCellStatusBarItems = this.#changed.event;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(insight: NotebookInsight) {
    this.#insight = insight;
    // A batch finishes hundreds of generations a second; the eye needs a few updates.
    this.#subscription = insight.onDidChange(() => {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#changed.fire();
      }, 200);
    });
  }

  provideCellStatusBarItems(cell: NotebookCell): NotebookCellStatusBarItem[] {
    const uri = cell.document.uri.toString();
    const totals = this.#insight.of(cell.notebook)?.totals(uri);
    if (!totals) return [];
    const stale = this.#insight.staleness(cell);
    return [
      item(summary(totals), details(totals)),
      ...(stale === null ? [] : [item(`$(history) ${l10n.t('stale')}`, reason(stale))]),
    ];
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#subscription.dispose();
    this.#changed.dispose();
  }
}

function item(text: string, explanation: string): NotebookCellStatusBarItem {
  const made = new NotebookCellStatusBarItem(text, NotebookCellStatusBarAlignment.Left);
  made.tooltip = explanation;
  made.accessibilityInformation = { label: explanation };
  return made;
}

function reason(stale: Staleness): string {
  if (stale.kind === 'edited') {
    return l10n.t('These values are of an earlier text: the cell was edited after it ran.');
  }
  return stale.change === 'ran'
    ? l10n.t(
        'These values are old: code cell {0}, which this one uses, ran after it.',
        stale.number,
      )
    : l10n.t('These values are old: code cell {0}, which this one uses, was edited.', stale.number);
}

function summary(totals: CellTotals): string {
  const parts = [l10n.t('{0} tokens', totals.completionTokens)];
  const speed = tokensPerSecond(totals);
  if (speed !== null) parts.push(l10n.t('{0} tok/s', Math.round(speed)));
  const share = cachedShare(totals);
  if (share !== null) parts.push(l10n.t('{0} % cached', Math.round(100 * share)));
  return parts.join(' · ');
}

function details(totals: CellTotals): string {
  return l10n.t(
    '{0} generations ({1} failed): {2} new tokens after {3} prompt tokens, {4} of them cached',
    totals.generations,
    totals.failed,
    totals.completionTokens,
    totals.promptTokens,
    totals.cachedTokens,
  );
}
