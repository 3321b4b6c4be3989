/**
 * Entry of the renderer: MIME type → view, drawn in a shadow root so that neither side's styles leak.
 * Updates of an output patch the existing nodes, so that streaming neither flickers nor scrolls.
 */
import { render, type ComponentChild } from 'preact';
import type { ActivationFunction, OutputItem, RendererContext } from 'vscode-notebook-renderer';
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  INPUT_MIME,
  NOTICE_MIME,
  STATE_MIME,
  type BatchPayload,
  type HighlightPayload,
  type InputPayload,
  type NoticePayload,
  type RendererRequest,
  type StatePayload,
} from '../../extension/protocol/output-payloads.ts';
import type { Host } from './host.ts';
import { questionsOf, type Questions } from './questions.ts';
import styles from './styles.css';
import { BatchView } from './views/batch-view.tsx';
import { HighlightView } from './views/highlight-view.tsx';
import { InputView } from './views/input-view.tsx';
import { NoticeView } from './views/notice-view.tsx';
import { StateView } from './views/state-view.tsx';
import { visibleText } from './visible-text.ts';

const roots = new Map<string, { readonly element: HTMLElement; readonly root: Element }>();

export const activate: ActivationFunction = (context) => {
  const questions = questionsOf(context);
  return {
    renderOutputItem(item, element) {
      const root = rootIn(item.id, element);
      try {
        render(view(item, hostOf(item, context, questions)), root);
      } catch {
        // A file may hold anything under our MIME types: what no view can draw is shown as it is.
        const text = document.createElement('pre');
        text.textContent = visibleText(item.text());
        root.replaceChildren(text);
        roots.delete(item.id);
      }
    },
    disposeOutputItem(id) {
      for (const [key, { root }] of roots) {
        if (id !== undefined && key !== id) continue;
        render(null, root);
        roots.delete(key);
      }
    },
  };
};

/** The node that the view of output `id` lives in; made once per element. */
function rootIn(id: string, element: HTMLElement): Element {
  const known = roots.get(id);
  if (known?.element === element) return known.root;
  const shadow = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
  const style = document.createElement('style');
  style.textContent = styles;
  const root = document.createElement('div');
  root.className = 'sglang-output';
  shadow.replaceChildren(style, root);
  roots.set(id, { element, root });
  return root;
}

/** The extension finds the cell by the output's own text: outputs of saved files have no other name. */
function hostOf(
  item: OutputItem,
  context: RendererContext<unknown>,
  questions: Questions | null,
): Host {
  const post = (message: RendererRequest): void => context.postMessage?.(message);
  const canRun = context.postMessage !== undefined && context.workspace.isTrusted;
  return {
    questions,
    retry: canRun ? () => post({ type: 'retry', mime: item.mime, text: item.text() }) : null,
    copy: (text) => {
      // Without the focus or in an insecure frame, a browser refuses; the extension may.
      if (!globalThis.isSecureContext) return post({ type: 'copy', text });
      void navigator.clipboard.writeText(text).catch(() => post({ type: 'copy', text }));
    },
  };
}

/** A payload that is no object is shown as text: a saved file is never a blank. */
function view(item: OutputItem, host: Host): ComponentChild {
  let payload: unknown;
  try {
    payload = item.json();
  } catch {
    return <pre>{visibleText(item.text())}</pre>;
  }
  if (typeof payload !== 'object' || payload === null) return <pre>{visibleText(item.text())}</pre>;
  // SAFETY (all casts below): the MIME type names the payload's type; views read defensively.
  switch (item.mime) {
    case HIGHLIGHT_MIME:
      return <HighlightView payload={payload as HighlightPayload} />;
    case STATE_MIME:
      return <StateView payload={payload as StatePayload} host={host} />;
    case BATCH_MIME:
      return <BatchView payload={payload as BatchPayload} host={host} />;
    case INPUT_MIME:
      return <InputView payload={payload as InputPayload} questions={host.questions} />;
    case NOTICE_MIME:
      return <NoticeView payload={payload as NoticePayload} />;
    default:
      return <pre>{visibleText(item.text())}</pre>;
  }
}
