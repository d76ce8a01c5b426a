import {
  type AuditRecord,
  type Permit,
  type Principal,
  type Registration,
  type Stages,
  spendPermit,
} from '@sallyport/core';
import type { RecordingAuditLog } from '@sallyport/testkit';
import type { Served } from './lab.ts';

/** A permit at the door of a service. */
export interface Departed {
  readonly callId: string;
  readonly tool: string;
  readonly argumentsText: string;
}

/** Watches what the pipeline lets through, from outside of every stage and of the service. */
export function createWitness(audit: RecordingAuditLog) {
  const authenticated = new Map<string, Principal>();
  const departed: Departed[] = [];
  const served: Served[] = [];
  const permitFaults: string[] = [];
  const events: string[] = [];

  const crossings = (permit: Permit): number => departed.filter(({ callId }) => callId === permit.callId).length;

  /** After a call has left, its permit must be good for nothing: not for another crossing, not for anybody. */
  const tryAgain = async (stages: Stages, permit: Permit, hop: Parameters<Stages['dispatch']>[1]): Promise<void> => {
    const before = crossings(permit);
    await stages.dispatch(permit, { ...hop, sent: () => undefined }).catch(() => undefined);
    if (crossings(permit) !== before) permitFaults.push(`${permit.target.name}: a permit was good for two crossings`);
    try {
      spendPermit(permit);
      permitFaults.push(`${permit.target.name}: a call left and its permit was not spent`);
    } catch {
      // As it should be: it is spent.
    }
  };

  return {
    seen: { authenticated, departed, served, permitFaults, events },
    onServed: (one: Served) => void served.push(one),
    watch: (registration: Registration): Registration => ({
      ...registration,
      upstream: {
        ...registration.upstream,
        open: (permit, hop) =>
          registration.upstream.open(permit, {
            ...hop,
            sent: () => {
              events.push(`sent ${permit.callId}`);
              departed.push({
                ...{ callId: permit.callId, tool: permit.target.name, argumentsText: permit.argumentsText },
              });
              hop.sent();
            },
          }),
      },
    }),
    stages: (stages: Stages): Stages => ({
      ...stages,
      async authenticate(call) {
        const principal = await stages.authenticate(call);
        authenticated.set(call.id, principal);
        return principal;
      },
      async dispatch(permit, hop) {
        const before = departed.length;
        try {
          return await stages.dispatch(permit, hop);
        } finally {
          if (departed.slice(before).some(({ callId }) => callId === permit.callId))
            await tryAgain(stages, permit, hop);
        }
      },
      async record(record: AuditRecord) {
        const before = audit.entries.length;
        await stages.record(record);
        if (audit.entries.length > before) events.push(`${record.kind} ${record.callId}`);
      },
    }),
  };
}
