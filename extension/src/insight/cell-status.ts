/** Under a cell: what its last run generated, how fast, and how much of the prompts was cached. */
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

  provideCellStatusBarItems(cell: NotebookCell): NotebookCellStatusBarItem | undefined {
    const uri = cell.document.uri.toString();
    const totals = this.#insight.find(uri)?.totals(uri);
    if (!totals) return undefined;
    const item = new NotebookCellStatusBarItem(
      summary(totals),
      NotebookCellStatusBarAlignment.Left,
    );
    item.tooltip = details(totals);
    item.accessibilityInformation = { label: details(totals) };
    return item;
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#subscription.dispose();
    this.#changed.dispose();
  }
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
