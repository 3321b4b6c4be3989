/** A cell launches a model that is not on this machine: one question, remembered for the workspace. */
import { CancellationTokenSource, l10n, window, type QuickPickItem } from 'vscode';
import { byteText } from '../../model-manager/byte-text.ts';
import type {
  ModelAsker,
  ModelDecision,
  ModelQuestion,
} from '../../model-manager/model-answers.ts';
import type { ModelManager } from '../../model-manager/model-manager.ts';
import { fitWords } from './fit-words.ts';
import { downloadModel } from './model-download.ts';
import { fitDetail } from './model-rows.ts';

interface DecisionItem extends QuickPickItem {
  readonly decision: 'download' | 'starter' | 'later' | 'file';
}

export class WorkbenchModelAsker implements ModelAsker {
  readonly #manager: () => ModelManager;

  constructor(manager: () => ModelManager) {
    this.#manager = manager;
  }

  async decide(question: ModelQuestion, signal: AbortSignal): Promise<ModelDecision> {
    const cancellation = new CancellationTokenSource();
    signal.addEventListener('abort', () => cancellation.cancel(), { once: true });
    try {
      const chosen = await window.showQuickPick(
        items(question),
        {
          title: l10n.t('{0} is not on this machine', question.name),
          placeHolder: l10n.t('Which model shall the cell run?'),
          ignoreFocusOut: true,
        },
        cancellation.token,
      );
      return await this.#decision(chosen);
    } finally {
      cancellation.dispose();
    }
  }

  async download(name: string, signal: AbortSignal): Promise<boolean> {
    return (await downloadModel(this.#manager(), name, signal)) !== null;
  }

  async #decision(chosen: DecisionItem | undefined): Promise<ModelDecision> {
    const decision = chosen?.decision ?? 'later';
    switch (decision) {
      case 'download':
        return { kind: 'download' };
      case 'starter':
        return { kind: 'starter' };
      case 'file':
        return fileDecision();
      case 'later':
        return { kind: 'later' };
      default:
        return decision satisfies never;
    }
  }
}

function items({ name, entry, fit }: ModelQuestion): readonly DecisionItem[] {
  const starter: DecisionItem = {
    label: l10n.t('$(zap) Run the bundled starter model this time'),
    detail: l10n.t('Tiny and offline; knows little beyond the tutorial.'),
    decision: 'later',
  };
  const download: DecisionItem = {
    label: l10n.t('$(cloud-download) Download {0}', name),
    description: entry === null ? '' : `~${byteText(entry.approximateBytes)} · ${entry.licence}`,
    detail:
      entry === null
        ? l10n.t('From Hugging Face, if there are GGUF files of it.')
        : fitDetail(fit, fitWords()),
    decision: 'download',
  };
  return [
    starter,
    download,
    { label: l10n.t('$(file) Choose a GGUF file…'), decision: 'file' },
    {
      label: l10n.t('$(bell-slash) Always run the starter model in this workspace'),
      decision: 'starter',
    },
  ];
}

async function fileDecision(): Promise<ModelDecision> {
  const path = await pickGgufFile();
  return path === null ? { kind: 'later' } : { kind: 'file', path };
}

export async function pickGgufFile(): Promise<string | null> {
  const [file] =
    (await window.showOpenDialog({
      title: l10n.t('Choose a GGUF model'),
      filters: { GGUF: ['gguf'] },
    })) ?? [];
  return file?.fsPath ?? null;
}
