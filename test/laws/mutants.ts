import { type Answer, GatewayError, type JsonText, noHold, type Permit, type Stages } from '@sallyport/core';
import type { JsonObject, ServiceManifest } from '@sallyport/protocol';
import { fakePrincipal } from '@sallyport/testkit';
import type { Handler } from '../../packages/gateway/src/registry/in-process.ts';
import type { WorldOptions } from './world.ts';

/** A gateway from which one stage has been taken. */
export interface Mutant {
  /** What is missing. */
  readonly stage: string;
  readonly options: WorldOptions;
}

const without = (stage: string, change: (stages: Stages) => Partial<Stages>): Mutant => ({
  stage,
  options: { mutate: (stages) => ({ ...stages, ...change(stages) }) },
});

/** One for every stage of the path. Each does as little as would still compile. */
export const mutants: readonly Mutant[] = [
  without('admit', () => ({ admit: () => undefined })),
  without('authenticate', () => ({ authenticate: () => fakePrincipal({ subject: 'anybody', scopes: ['*'] }) })),
  without('resolve (view)', ({ view }) => ({
    view: async (principal, endpoint) => ({ ...(await view(principal, endpoint)), has: () => true }),
  })),
  without('entitle', () => ({ entitle: () => undefined })),
  without('rate', () => ({ rate: () => undefined })),
  without('rate of the denied', () => ({ rateDenied: (_principal, refusal) => refusal })),
  without('validate', () => ({
    validate: ({ request: { argumentsText } }) => ({ text: argumentsText, value: JSON.parse(argumentsText) }),
  })),
  without('authorize', () => ({ authorize: () => ({ effect: 'permit', policies: [], revision: 'none' }) })),
  without('approve', () => ({ approve: () => noHold })),
  without('budget', () => ({ budget: () => noHold })),
  without('credential', () => ({ credential: () => ({ kind: 'none' }) })),
  { stage: 'dispatch (permits are not spent)', options: { makeService: unguardedService } },
  without('filter', () => ({ filter: (_permit, answer) => answer })),
  without('record', () => ({ record: async () => undefined })),
];

/** A service that serves whatever it is handed, permit or not. */
function unguardedService({ ...manifest }: ServiceManifest, handlers: Readonly<Record<string, Handler>>) {
  const open = async (permit: Permit, hop: Parameters<Stages['dispatch']>[1]): Promise<Answer> => {
    hop.sent();
    const stopped = AbortSignal.timeout(hop.timeoutMs);
    const context = { principal: permit.principal, callId: permit.callId, trace: hop.trace, signal: stopped };
    const serve = async () =>
      handlers[permit.target.remoteName]?.(JSON.parse(permit.argumentsText) as JsonObject, context);
    const output = await serve().catch((cause) => {
      throw new GatewayError('upstream_failed', {}, { cause });
    });
    const text = JSON.stringify({ content: [], structuredContent: output }) as JsonText;
    return { text, isError: false, instance: 'unguarded' };
  };
  const upstream = {
    describe: () => ({ service: manifest.service, kind: 'unguarded' }),
    open,
    close: async () => undefined,
  };
  return { manifest, instances: 1, state: 'ready', upstream } as const;
}
