import { GatewayError, type Stages } from '@sallyport/core';
import { pino } from 'pino';
import { createAdmit } from '../../packages/gateway/src/admission/index.ts';
import { createRecord } from '../../packages/gateway/src/audit/index.ts';
import { createRate, defaultPresets } from '../../packages/gateway/src/limits/index.ts';
import { canary } from './lab.ts';
import { everyCallOnce } from './one-record.ts';
import { makeWorld, type Way, type World, type WorldOptions } from './world.ts';

/** One thing that breaks, and what its breaking may still let happen. */
export interface Fault {
  readonly name: string;
  readonly options: WorldOptions;
  /** The tool whose call meets the fault; `Echo` unless another has to be called. */
  readonly tool?: string;
  /** It breaks after the call has left: then the call is refused all the same, but has been served. */
  readonly after?: boolean;
  /** Nothing can be recorded. */
  readonly unrecorded?: boolean;
  /** `internal` unless the gateway has a better word. */
  readonly reason?: string;
}

type Breaking = () => never | Promise<never>;

/** Ways to break. What is thrown carries a text that nobody may see. */
const breakings: Readonly<Record<string, Breaking>> = {
  'throws at once': () => {
    throw new Error(canary);
  },
  'fails later': async () => {
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error(canary, { cause: { token: canary } });
  },
  'throws a text': () => {
    throw canary;
  },
  'throws nothing': () => Promise.reject(undefined),
  'refuses with a cause': () => {
    throw new GatewayError('internal', {}, { cause: canary });
  },
};

/** What answers at once cannot fail later. */
const soon = (how: string): boolean =>
  how === 'throws at once' || how === 'throws a text' || how === 'refuses with a cause';

type Stage = Exclude<keyof Stages, 'onCatalogChange' | 'onRecheck' | 'nowMs'>;
const beforeDispatch: readonly Stage[] = [
  ...(['admit', 'authenticate', 'view', 'entitle', 'rate', 'validate', 'authorize', 'approve', 'budget'] as const),
  ...(['credential', 'dispatch'] as const),
];

/** Every stage, broken in every way. */
export function stageFaults(): readonly Fault[] {
  const faults: readonly (readonly [Stage, Partial<Fault>])[] = [
    ...beforeDispatch.map((stage) => [stage, {}] as const),
    ['rateDenied', { tool: 'lab.Tools.Absent' }],
    ['filter', { after: true }],
    ['record', { after: true, unrecorded: true, reason: 'audit_unavailable' }],
    ['record', { tool: 'lab.Tools.Audited', unrecorded: true, reason: 'audit_unavailable' }],
  ];
  return faults.flatMap(([stage, more]) =>
    breakingsOf(stage === 'entitle').map(([how, breaking]) => ({
      name: `${stage} ${how}${more.tool === undefined ? '' : ` (${more.tool})`}`,
      options: { mutate: (stages: Stages): Stages => ({ ...stages, [stage]: breaking }) },
      ...more,
    })),
  );
}

function breakingsOf(answersAtOnce: boolean): readonly (readonly [how: string, breaking: Breaking])[] {
  return Object.entries(breakings).filter(([how]) => !answersAtOnce || soon(how));
}

/** Every port a stage leans on, broken in every way; and ports that answer what makes no sense. */
export function portFaults(): readonly Fault[] {
  return [
    ...breakingsOf(false).flatMap(([how, breaking]) => portsBreaking(how, breaking)),
    ...breakingsOf(true).flatMap(([how, breaking]) => hastyPortsBreaking(how, breaking as () => never)),
    ...portsTalkingNonsense(),
  ];
}

/** One of each port that decides something, each broken in one way. */
export function fewFaults(): readonly Fault[] {
  const deciding =
    /^(a policy engine|a policy engine, with arguments|a quota|an approver|an output filter|a containment) throws at once$/;
  return portFaults().filter(({ name }) => deciding.test(name));
}

function portsBreaking(how: string, breaking: Breaking): readonly Fault[] {
  const kinds = (name: string, options: WorldOptions['kinds'], more: Partial<Fault> = {}): Fault => ({
    name: `${name} ${how}`,
    options: { kinds: options ?? {} },
    ...more,
  });
  const parts = (name: string, options: WorldOptions['parts'], more: Partial<Fault> = {}): Fault => ({
    name: `${name} ${how}`,
    options: { parts: options ?? {} },
    ...more,
  });
  const limiter = { take: breaking, takeAll: breaking };
  const abstain = { effect: 'abstain', policies: [] } as const;
  const log = { append: async () => breaking(), close: async () => undefined };
  const logger = pino({ level: 'silent' });
  return [
    parts('an admission check', { admit: createAdmit([{ kind: 'broken', admit: breaking }]) }),
    parts('an authenticator', { authenticators: [{ authenticate: breaking }] }),
    kinds('a policy engine', { policyEngines: [{ decide: breaking, revision: () => 'x' }] }),
    kinds('a policy engine, with arguments', {
      policyEngines: [{ decide: ({ action }) => (action === 'invoke' ? breaking() : abstain), revision: () => 'x' }],
    }),
    parts('a rate limiter', { rate: rateOver(limiter) }),
    parts('a rate limiter', { rate: rateOver(limiter) }, { tool: 'lab.Tools.Absent' }),
    kinds('an approver', { approvers: [{ approve: breaking }] }),
    kinds('a quota', { quotas: [{ reserve: breaking }] }),
    kinds('a credential source', { credentialSources: [{ credential: breaking }] }),
    kinds('an output filter', { outputFilters: [{ filter: breaking }] }, { after: true }),
    kinds('what an approval holds', { approvers: [{ approve: () => ({ settle: breaking }) }] }, { after: true }),
    kinds('what a quota holds', { quotas: [{ reserve: () => ({ settle: breaking }) }] }, { after: true }),
    parts(
      'the audit log',
      { record: createRecord({ log, logger, nowMs: Date.now }) },
      { after: true, unrecorded: true, reason: 'audit_unavailable' },
    ),
  ];
}

/** Ports that answer at once, or not at all. */
function hastyPortsBreaking(how: string, breaking: () => never): readonly Fault[] {
  const abstain = { effect: 'abstain', policies: [] } as const;
  return [
    {
      name: `the revision of a policy engine ${how}`,
      options: { kinds: { policyEngines: [{ decide: () => abstain, revision: breaking }] } },
    },
    { name: `a containment ${how}`, options: { kinds: { containments: [{ contains: breaking }] } } },
  ];
}

function rateOver(limiter: Parameters<typeof createRate>[0]['limiter']): ReturnType<typeof createRate> {
  return createRate({ limiter, presets: defaultPresets, overrides: [], denied: { rate: 1, burst: 1 } });
}

function portsTalkingNonsense(): readonly Fault[] {
  const nonsense = undefined as never;
  const kinds = (name: string, options: WorldOptions['kinds'], reason = 'internal'): Fault => ({
    name: `${name} answers nothing`,
    options: { kinds: options ?? {} },
    reason,
  });
  return [
    {
      name: 'an authenticator answers nothing',
      options: { parts: { authenticators: [{ authenticate: () => nonsense }] } },
    },
    kinds('a policy engine', { policyEngines: [{ decide: () => nonsense, revision: () => 'x' }] }),
    kinds('an approver', { approvers: [{ approve: () => nonsense }] }),
    {
      name: 'a containment answers with a promise',
      options: { kinds: { containments: [{ contains: () => Promise.resolve(false) as never }] } },
      reason: 'contained',
    },
    {
      name: 'a policy engine answers a word it does not know',
      options: {
        kinds: { policyEngines: [{ decide: () => ({ effect: 'allow' as never, policies: [] }), revision: () => 'x' }] },
      },
      reason: 'unknown_tool',
    },
    {
      name: 'a rate limiter answers nothing',
      options: { parts: { rate: rateOver({ take: () => nonsense, takeAll: () => nonsense }) } },
    },
    {
      name: 'an output filter answers nothing',
      options: { kinds: { outputFilters: [{ filter: () => nonsense }] } },
      after: true,
    },
  ];
}

/**
 * Law 7, **fail closed**: whatever breaks on the way, the call is refused; what breaks before dispatch keeps it from leaving,
 * and nothing of what was thrown is told.
 */
export async function failClosed(fault: Fault, over: readonly Way[]): Promise<readonly string[]> {
  const world = await makeWorld(fault.options);
  try {
    const violations: string[] = [];
    for (const way of over) violations.push(...(await failsClosed(world, fault, way)));
    if (fault.unrecorded !== true) violations.push(...(await everyCallOnce(world)));
    return violations;
  } finally {
    await world.close();
  }
}

async function failsClosed(world: World, fault: Fault, way: Way): Promise<readonly string[]> {
  const { tool = 'lab.Tools.Echo', reason = 'internal', after = false, name } = fault;
  const departed = world.departed.length;
  const seen = await world.driver(way, 'star').call(tool, { a: 1 }, { timeoutMs: 3_000 });
  const left = world.departed.length - departed;
  const violations: string[] = [];
  if (seen.kind !== 'refused' || seen.reason !== reason) violations.push(`${way}: ${seen.kind} ${seen.reason}`);
  if (left > 0 && !after) violations.push(`${way}: it left all the same`);
  if (seen.bytes.includes(canary)) violations.push(`${way}: tells what was thrown`);
  return violations.map((violation) => `${name}: ${violation}`);
}
