import { type Fate, type Hold, noHold, type Permit, type Quota } from '@sallyport/core';
import type { Logger } from 'pino';

/** Somebody is to be told that a call was made, because a policy wants it. */
export interface Notice {
  /** By the name that policies use. */
  readonly channel: string;
  readonly policy: string;
  readonly callId: string;
  readonly tool: string;
  readonly service: string;
  readonly subject: string;
  /** Who acts for the subject, if anybody does. */
  readonly actor?: string;
  readonly client: string;
  /** Whether the answer came, a question, or nobody knows. */
  readonly fate: Exclude<Fate, 'unsent'>;
}

/** Brings notices to where they belong. It must not throw, and nobody waits for it. */
export type OnNotice = (notice: Notice) => void;

/** Tells of calls that policies want told, once they have left. As a quota it hears how each of them ended. */
export function createNotices(onNotice: OnNotice): Quota {
  return {
    reserve(permit): Hold {
      const wanted = permit.obligations.filter((one) => one.kind === 'notify');
      if (wanted.length === 0 || permit.method.startsWith('tasks/')) return noHold;
      return {
        settle(fate) {
          if (fate === 'unsent') return;
          for (const { channel, policy } of wanted) onNotice({ ...factsOf(permit), channel, policy, fate });
        },
      };
    },
  };
}

/** A line in the log for each, for whoever follows that. */
export function logNotices(log: Logger): OnNotice {
  return (notice) => log.info({ notice }, 'a policy wants this call told');
}

function factsOf({ callId, principal, target }: Permit): Omit<Notice, 'channel' | 'policy' | 'fate'> {
  const { subject, actor, client } = principal;
  return {
    ...{ callId, tool: target.name, service: target.service, subject, client },
    ...(actor && { actor: actor.subject }),
  };
}

/** Brings notices to several places. */
export function toAll(places: readonly OnNotice[]): OnNotice {
  return (notice) => {
    for (const place of places) place(notice);
  };
}
