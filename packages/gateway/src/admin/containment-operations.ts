import { randomBytes } from 'node:crypto';
import {
  type ContainedKind,
  type Containments,
  containedKinds,
  GatewayError,
  type NewContainment,
  type Principal,
  type StoredContainment,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { ContainedError, compileContained } from '../entitlement/contained.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on containments lean on. */
export interface ContainmentOperationDeps {
  readonly containments: Containments;
  /** Puts what the store has now into force, in this process, before it resolves. */
  readonly refreshContainment: () => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const scope = 'admin:contain';
const mostListed = 500;
const longestS = 366 * 86_400;

const id: JsonObject = { type: 'string', pattern: '^ctn_[0-9A-Za-z]{16}$', description: 'Of the containment.' };
const kind: JsonObject = {
  enum: [...containedKinds],
  description:
    'principal: a subject. account: <tenant>/<subject>. agent: one that calls or acts for somebody. agent-class: kind:agent, agent:support-*, client:…, app:…, tenant:…. tool: a name or pattern. upstream: a service. class: <tools>@<agents>, such as destructive@kind:agent.',
};
const value: JsonObject = { type: 'string', minLength: 1, maxLength: 512, description: 'Who or what, by its kind.' };
const reason: JsonObject = { type: 'string', minLength: 1, maxLength: 1_000, description: 'Why, for people.' };
const timestamp: JsonObject = { type: 'string', format: 'date-time' };

const facts: JsonObject = schemas.strictObject(
  { id, kind, value, by: { type: 'string' }, at: timestamp, state: { enum: ['standing', 'lifted', 'expired'] } },
  { reason, expiresAt: timestamp, liftedBy: { type: 'string' }, liftedAt: timestamp },
);

/** Block callers, agents, tools and services while the gateway runs, and let them go on. */
export function containmentOperations(deps: ContainmentOperationDeps): readonly Operation[] {
  return [list(deps), contain(deps), restore(deps)];
}

function list({ containments, nowMs }: ContainmentOperationDeps): Operation {
  return {
    tool: reading('containment.list', scope, {
      description: `Lists what is contained, newest first; with \`ended\` also what was, the newest ${mostListed} in all.`,
      inputSchema: schemas.strictObject(
        {},
        { ended: { type: 'boolean', description: 'Whether what ended is wanted.' } },
      ),
      outputSchema: schemas.strictObject({ containments: { type: 'array', items: facts } }),
    }),
    handler: async ({ ended = false }) => {
      const now = nowMs();
      const wanted =
        ended === true ? await containments.list(mostListed) : [...(await containments.standing(now))].reverse();
      return { containments: wanted.map((one) => shown(one, now)) };
    },
  };
}

function contain(deps: ContainmentOperationDeps): Operation {
  return {
    tool: changing('containment.contain', scope, {
      description:
        'Blocks a caller, an agent, a tool or a service, or some tools for some agents: from the next call on everywhere, and what is under way ends.',
      inputSchema: schemas.strictObject(
        { kind, value },
        {
          reason,
          forS: schemas.seconds(
            1,
            longestS,
            'It ends by itself after so long. Default: it stands until it is restored.',
          ),
        },
      ),
      outputSchema: facts,
      sideEffect: 'destructive',
      examples: [
        { kind: 'agent', value: 'support-bot', reason: 'It follows instructions from a ticket.', forS: 3_600 },
      ],
    }),
    handler: async (args, { principal }) => {
      const containment = toContainment(args as unknown as Wanted, deps.nowMs(), principal);
      await deps.containments.add(containment);
      await deps.refreshContainment();
      return shown(containment, deps.nowMs());
    },
  };
}

function restore({ containments, refreshContainment, nowMs }: ContainmentOperationDeps): Operation {
  return {
    tool: changing('containment.restore', scope, {
      description: 'Lifts a containment: calls go through again from the next one on.',
      inputSchema: schemas.strictObject({ id }),
      outputSchema: facts,
    }),
    handler: async ({ id: wanted }, { principal }) => {
      const lifted = await containments.lift(String(wanted), { by: nameOf(principal), atMs: nowMs() });
      await refreshContainment();
      if (lifted === undefined) {
        throw new GatewayError('not_found', { issues: ['/id: no containment of this id stands'] });
      }
      return shown(lifted, nowMs());
    },
  };
}

interface Wanted {
  readonly kind: ContainedKind;
  readonly value: string;
  readonly reason?: string;
  readonly forS?: number;
}

function toContainment(
  { kind: what, value: whom, reason: why, forS }: Wanted,
  atMs: number,
  by: Principal,
): NewContainment {
  try {
    compileContained({ kind: what, value: whom });
  } catch (error) {
    if (error instanceof ContainedError)
      throw new GatewayError('invalid_input', { issues: [`/value: ${error.message}`] });
    throw error;
  }
  return {
    ...{ id: `ctn_${drawId()}`, kind: what, value: whom, by: nameOf(by), atMs },
    ...(why !== undefined && { reason: why }),
    ...(forS !== undefined && { expiresAtMs: atMs + forS * 1_000 }),
  };
}

/** 64 bits and more: 16 hexadecimal digits are letters and digits, too. */
function drawId(): string {
  return randomBytes(8).toString('hex');
}

function nameOf({ subject, tenant }: Principal): string {
  return tenant === undefined ? subject : `${tenant}/${subject}`;
}

function shown(stored: StoredContainment, nowMs: number): JsonObject {
  const { atMs, expiresAtMs, lifted, ...rest } = stored;
  const hasEnded = expiresAtMs !== undefined && expiresAtMs <= nowMs;
  return {
    ...rest,
    at: new Date(atMs).toISOString(),
    state: lifted ? 'lifted' : hasEnded ? 'expired' : 'standing',
    ...(expiresAtMs !== undefined && { expiresAt: new Date(expiresAtMs).toISOString() }),
    ...(lifted && { liftedBy: lifted.by, liftedAt: new Date(lifted.atMs).toISOString() }),
  };
}
