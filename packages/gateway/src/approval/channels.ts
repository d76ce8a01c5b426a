import type { Approval, ApprovalChannel, ApprovalEvent } from '@sallyport/core';
import type { Logger } from 'pino';
import type { ContextSeal } from './context.ts';

/** Tells all channels of something that happened. Waits for none of them. */
export type Tell = (kind: ApprovalEvent['kind'], approval: Approval) => void;

/** What telling needs. */
export interface TellParts {
  readonly channels: () => readonly ApprovalChannel[];
  readonly seal: Pick<ContextSeal, 'open'>;
  readonly log: Pick<Logger, 'warn'>;
  /** Fires when the gateway ends. */
  readonly signal: AbortSignal;
}

/** Makes what `Tell` says; what a channel fails at is for the operator's log. */
export function createTell({ channels, seal, log, signal }: TellParts): Tell {
  return (kind, approval) => {
    const context = () => seal.open(approval.id, approval.sealed);
    for (const channel of channels()) {
      void Promise.resolve()
        .then(() => channel.tell({ kind, approval, context }, signal))
        .catch((err: unknown) => {
          if (signal.aborted) return;
          log.warn({ err, channel: channel.name, approval: approval.id }, 'a channel could not tell of an approval');
        });
    }
  };
}
