import type { HighlightPayload } from '../../../extension/protocol/output-payloads.ts';
import { LongText } from './long-text.tsx';

/** `print_highlight`: emphasised text. */
export function HighlightView({ payload }: { readonly payload: HighlightPayload }) {
  return (
    <strong class="highlight">
      <LongText text={payload.text} />
    </strong>
  );
}
