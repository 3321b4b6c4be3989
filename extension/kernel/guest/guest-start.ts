/** What starting a guest needs and how it fails; shared by both kinds. */
import type { BridgeMessage, BridgeReply } from './guest.ts';

/** Answers the calls of `ProcessCalls` (see `bridge-protocol.ts`). Never rejects. */
export type ProcessCallHandler = (
  message: BridgeMessage,
  signal: AbortSignal,
) => Promise<BridgeReply>;

/** Python did not start. The message says why and is shown to the user. */
export class GuestStartError extends Error {
  readonly code = 'GUEST_START';

  constructor(message: string) {
    super(message);
    this.name = 'GuestStartError';
  }
}
