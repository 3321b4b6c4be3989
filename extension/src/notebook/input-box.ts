/** A box that asks for a line: names the cell, stays open while the user looks elsewhere. */
import { l10n, window } from 'vscode';

export interface InputBoxQuestion {
  readonly cell: string;
  readonly prompt: string;
  readonly password: boolean;
}

export interface OpenInputBox {
  /** The typed line; `null` when the user dismisses the box, which ends the input. */
  readonly answer: Promise<string | null>;
  /** Nothing has been typed. */
  readonly isEmpty: boolean;
  close(): void;
}

export function openInputBox({ cell, prompt, password }: InputBoxQuestion): OpenInputBox {
  const box = window.createInputBox();
  box.title = l10n.t('Input for {0}', cell);
  box.prompt = prompt;
  box.password = password;
  box.ignoreFocusOut = true;
  const answer = new Promise<string | null>((resolve) => {
    box.onDidAccept(() => {
      resolve(box.value);
      box.hide();
    });
    box.onDidHide(() => {
      resolve(null);
      box.dispose();
    });
  });
  box.show();
  return {
    answer,
    get isEmpty() {
      return box.value === '';
    },
    close: () => box.hide(),
  };
}
