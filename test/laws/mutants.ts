import {
  type Answer,
  createPipeline,
  everything,
  GatewayError,
  type InvokeRequest,
  type JsonText,
  noHold,
  type Permit,
  type Pipeline,
  type Stages,
} from '@sallyport/core';
import type { JsonObject, ServiceManifest } from '@sallyport/protocol';
import { fakePrincipal, plainSealer } from '@sallyport/testkit';
import type { Handler } from '../../packages/gateway/src/registry/in-process.ts';
import type { WorldOptions } from './world.ts';

/** A gateway from which one stage has been taken, or that forgets one for something. */
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
export const stageless: readonly Mutant[] = [
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

/** Gateways that do everything for tools, and forget something for the rest. */
export const forgetful: readonly Mutant[] = [
  bypassing('entitle, where resources are listed', (pipeline, stages) => {
    const lenient = createPipeline({ ...stages, entitle: () => undefined });
    return { ...pipeline, list: (call) => (call.request.capability === 'resource' ? lenient : pipeline).list(call) };
  }),
  bypassing('entitle, where resources are watched', (pipeline, stages) => ({
    ...pipeline,
    listen: createPipeline({ ...stages, entitle: () => undefined }).listen,
  })),
  bypassing('view, where changes are told', (pipeline, stages) => ({
    ...pipeline,
    listen: createPipeline({
      ...stages,
      view: async (principal, endpoint) => ({ ...(await stages.view(principal, endpoint)), has: () => true }),
    }).listen,
  })),
  without('record, of subscriptions', ({ record }) => ({
    record: async (one) => (one.verb === 'listen' ? undefined : record(one)),
  })),
  without('record, of the intent of what is no tool', ({ record }) => ({
    record: async (one) => (one.kind === 'intent' && one.operation !== undefined ? undefined : record(one)),
  })),
  without('rate, of what is asked about tasks', ({ rate }) => ({
    rate: (call, principal, target) => {
      const isOfTask = call.request.verb === 'invoke' && call.request.method.startsWith('tasks/');
      return isOfTask ? undefined : rate(call, principal, target);
    },
  })),
  bypassing(
    'authorize, of completions',
    skipping(({ method }) => method === 'completion/complete'),
  ),
  bypassing(
    'authorize, of answers to questions',
    skipping(({ retry }) => retry !== undefined),
  ),
  without('approve, of what is no tool', ({ approve }) => ({
    approve: (permit, request) => (permit.method === 'tools/call' ? approve(permit, request) : noHold),
  })),
  without('budget, of intents', ({ budget }) => ({
    budget: (permit) => (permit.principal.intent === undefined ? budget(permit) : noHold),
  })),
  without('intents', ({ authenticate }) => ({
    async authenticate(call) {
      const { intent: _intent, ...principal } = await authenticate(call);
      return principal;
    },
  })),
  without('filter, of what is no tool', ({ filter }) => ({
    filter: (permit, answer) => (permit.method === 'tools/call' ? filter(permit, answer) : answer),
  })),
  without('filter, of what is told in between', () => ({ filterNotification: (_target, text) => ({ text }) })),
  without('the bounds of views', ({ view }) => ({
    view: (principal, endpoint) => view(principal, endpoint.kind === 'view' ? everything : endpoint),
  })),
  bypassing('the owner of a session', (pipeline) => ownerless(pipeline)),
  {
    stage: 'the owner of a task',
    options: {
      reseal: (sealing) => {
        const openTask = (_principal: unknown, text: string) => {
          const { tool, taskId } = plainSealer.open('task', text) ?? {};
          return typeof tool === 'string' && typeof taskId === 'string' ? { tool, taskId } : undefined;
        };
        const taskOf = ({ argumentsText }: Permit): string => {
          const { taskId } = JSON.parse(argumentsText) as JsonObject;
          return openTask(undefined, String(taskId))?.taskId ?? '';
        };
        return { ...sealing, openTask, taskOf };
      },
    },
  },
  {
    stage: 'what binds a question to its call',
    options: {
      reseal: (sealing) => ({
        ...sealing,
        incoming({ retry }) {
          const { state } = plainSealer.open('state', retry?.requestState ?? '') ?? {};
          return typeof state === 'string' ? { ...retry, requestState: state } : retry;
        },
      }),
    },
  },
  without('closing, when a policy engine fails', ({ authorize }) => ({
    async authorize(request) {
      try {
        return await authorize(request);
      } catch {
        return { effect: 'permit', policies: [], revision: 'none' };
      }
    },
  })),
];

function bypassing(stage: string, bypass: NonNullable<WorldOptions['bypass']>): Mutant {
  return { stage, options: { bypass } };
}

/** Decides nothing about some calls. */
function skipping(isSkipped: (request: InvokeRequest) => boolean): NonNullable<WorldOptions['bypass']> {
  return (pipeline, stages) => {
    const lenient = createPipeline({
      ...stages,
      view: async (principal, endpoint) => ({ ...(await stages.view(principal, endpoint)), has: () => true }),
      entitle: () => undefined,
      authorize: () => ({ effect: 'permit', policies: [], revision: 'none' }),
    });
    return { ...pipeline, invoke: (call) => (isSkipped(call.request) ? lenient : pipeline).invoke(call) };
  };
}

/** Takes everybody for the owner of a session. */
function ownerless(pipeline: Pipeline): Pipeline {
  const anybody = <Sent extends { readonly session?: unknown }>({ session: _session, ...call }: Sent) => call as Sent;
  return {
    invoke: (call) => pipeline.invoke(anybody(call)),
    list: (call) => pipeline.list(anybody(call)),
    listen: (call) => pipeline.listen(anybody(call)),
    reply: (call) => pipeline.reply(anybody(call)),
    decline: (call) => pipeline.decline(anybody(call)),
  };
}

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
