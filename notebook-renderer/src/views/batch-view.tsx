import type { BatchPayload } from '../../../extension/protocol/output-payloads.ts';

/** Progress of `run_batch(..., progress_bar=True)`. */
export function BatchView({ payload }: { readonly payload: BatchPayload }) {
  const { finished, failed, total } = payload;
  const label = `${payload.program ?? 'Batch'}: ${finished} of ${total} finished${failed > 0 ? `, ${failed} failed` : ''}`;
  return (
    <p class="batch">
      <progress value={finished} max={Math.max(1, total)} aria-label={label} />
      <span aria-live="polite">{label}</span>
    </p>
  );
}
