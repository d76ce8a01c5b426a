import { type Approver, GatewayError, type Permit, principalKey } from '@sallyport/core';

interface Asked {
  readonly id: string;
  readonly key: string;
  state: 'pending' | 'granted' | 'rejected' | 'reserved' | 'spent';
  readonly decided: PromiseWithResolvers<void>;
}

/** Approvals in memory, given by the test itself: the same call is the same approval until it is spent. */
export interface ApprovalDesk {
  readonly approver: Approver;
  /** Ids that wait, oldest first. */
  pending(): readonly string[];
  /** Resolves with the id of the next one that is asked for, or of the oldest that waits. */
  asked(): Promise<string>;
  grant(id: string): void;
  reject(id: string): void;
}

/** Makes a desk at which everything with one of these names has to be approved. */
export function createApprovalDesk(names: readonly string[] | 'all'): ApprovalDesk {
  const all: Asked[] = [];
  const listeners = new Set<(id: string) => void>();

  const ask = (permit: Permit): Asked => {
    const key = JSON.stringify([principalKey(permit.principal), permit.target.name, permit.argumentsText]);
    const known = all.find((one) => one.key === key && one.state !== 'spent');
    if (known !== undefined) return known;
    const asked: Asked = { id: `apr_${all.length + 1}`, key, state: 'pending', decided: Promise.withResolvers() };
    all.push(asked);
    for (const listener of [...listeners]) listener(asked.id);
    return asked;
  };
  const decide = (id: string, state: 'granted' | 'rejected'): void => {
    const asked = all.find((one) => one.id === id);
    if (asked?.state !== 'pending') throw new Error(`${id} does not wait`);
    asked.state = state;
    asked.decided.resolve();
  };

  return {
    approver: {
      approve(permit) {
        if (names !== 'all' && !names.includes(permit.target.name)) return { settle: () => undefined };
        const asked = ask(permit);
        if (asked.state === 'rejected') throw new GatewayError('approval_rejected', { approval: asked.id });
        if (asked.state !== 'granted') {
          return {
            ...{ kind: 'suspended', question: asked.id, reason: 'Somebody at the desk has to agree.' },
            expiresAtMs: Date.now() + 600_000,
            settled: (signal) =>
              new Promise((resolve) => {
                signal.addEventListener('abort', () => resolve(), { once: true });
                void asked.decided.promise.then(resolve);
              }),
          };
        }
        asked.state = 'reserved';
        return {
          approval: asked.id,
          settle: (fate) => {
            asked.state = fate === 'unsent' ? 'granted' : 'spent';
          },
        };
      },
    },
    pending: () => all.filter(({ state }) => state === 'pending').map(({ id }) => id),
    asked() {
      const [waiting] = all.filter(({ state }) => state === 'pending');
      if (waiting !== undefined) return Promise.resolve(waiting.id);
      return new Promise((resolve) => {
        const listener = (id: string): void => {
          listeners.delete(listener);
          resolve(id);
        };
        listeners.add(listener);
      });
    },
    grant: (id) => decide(id, 'granted'),
    reject: (id) => decide(id, 'rejected'),
  };
}
