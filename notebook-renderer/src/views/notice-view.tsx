import type { NoticePayload } from '../../../extension/protocol/output-payloads.ts';
import { LongText } from './long-text.tsx';

/** A message of the kernel itself. */
export function NoticeView({ payload }: { readonly payload: NoticePayload }) {
  const label = payload.severity === 'warning' ? 'Warning' : 'Note';
  return (
    <p class={`notice ${payload.severity}`} role="note">
      <span class="tag">{label}</span> <LongText text={payload.text} />
    </p>
  );
}
