import { GatewayError, type IntentListing, type Principal } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { type AuditFilter, type AuditSource, searchAudit } from '../audit/index.ts';
import { scopesSatisfy } from '../entitlement/scopes.ts';
import { type EndRecord, stateOf, timelineOf } from '../intents/index.ts';
import type { IntentStore } from '../store/index.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on intents lean on. */
export interface IntentOperationDeps {
  readonly intents: IntentStore;
  /** Where the audit log is, or those of all gateways are. */
  readonly auditPath: AuditSource;
  /** Opens a message that was sealed for an intent. */
  readonly openMessage: (id: string, sealed: string) => string | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const scope = 'admin:read';
/** What users wrote is for fewer eyes than what was done about it. */
const messageScope = 'admin:messages';
const mostListed = 200;
/** More events than anybody reads; the log has them all. */
const mostEvents = 2_000;
/** Calls that were under way at the end are on record with the time they began. */
const slackMs = 60_000;

const intentId: JsonObject = {
  type: 'string',
  pattern: '^[0-9A-Za-z]{16}$',
  description: 'The id of the intent: its token has it after spi_.',
};

/** List, trace and revoke intents. */
export function intentOperations(deps: IntentOperationDeps): readonly Operation[] {
  return [list(deps), trace(deps), revoke(deps)];
}

function list({ intents, nowMs }: IntentOperationDeps): Operation {
  return {
    tool: reading('intents.list', scope, {
      description: `Lists the newest ${mostListed} intents.`,
      inputSchema: schemas.strictObject({}),
    }),
    handler: async () => ({ intents: (await intents.list(mostListed)).map((one) => shown(one, nowMs())) }),
  };
}

function trace(deps: IntentOperationDeps): Operation {
  return {
    tool: reading('intents.trace', scope, {
      description: `Tells what was done for one message of a user, and what was refused. The message itself, if it was kept, takes ${messageScope}.`,
      inputSchema: schemas.strictObject(
        { id: intentId },
        { message: { type: 'boolean', description: 'Whether the message is wanted.' } },
      ),
    }),
    handler: async ({ id, message = false }, { principal }) => {
      const listing = await known(deps.intents, String(id));
      return timelineOf({
        listing,
        ...(await recordsOf(deps, listing)),
        message: message === true ? messageOf(deps, listing, principal) : undefined,
        nowMs: deps.nowMs(),
      });
    },
  };
}

function messageOf({ openMessage }: IntentOperationDeps, listing: IntentListing, principal: Principal) {
  if (!scopesSatisfy(principal.scopes, [messageScope])) {
    throw new GatewayError('insufficient_scope', { scopes: [messageScope] });
  }
  const { stored, sealedMessage } = listing;
  return sealedMessage === undefined ? undefined : openMessage(stored.intent.id, sealedMessage);
}

async function recordsOf({ auditPath, intents }: IntentOperationDeps, { stored }: IntentListing) {
  const { intent, createdAtMs, createdBy } = stored;
  const made = await intents.madeFrom(intent.id);
  const during = { sinceMs: createdAtMs - slackMs, untilMs: intent.expiresAtMs + slackMs };
  const find = async (filter: AuditFilter, limit: number): Promise<readonly EndRecord[]> =>
    (await searchAudit(auditPath, { ...during, ...filter }, { limit })).flatMap(({ record }) =>
      record.kind === 'outcome' ? [record] : [],
    );
  const ids = [intent.id, ...made.map((one) => one.intent.id)];
  return {
    made,
    exchange: (await find({ callId: createdBy }, 1))[0],
    records: (await Promise.all(ids.map((id) => find({ intent: id }, mostEvents)))).flat(),
  };
}

function revoke({ intents, nowMs }: IntentOperationDeps): Operation {
  return {
    tool: changing('intents.revoke', 'admin:tokens', {
      description: 'Ends an intent and all that were made from it, from the next call on.',
      inputSchema: schemas.strictObject({ id: intentId }),
      outputSchema: schemas.strictObject({ id: intentId, changed: { type: 'boolean' } }),
      sideEffect: 'destructive',
      idempotent: true,
    }),
    handler: async ({ id }) => {
      const { stored } = await known(intents, String(id));
      return { id: stored.intent.id, changed: await intents.revoke(stored.intent.id, nowMs()) };
    },
  };
}

async function known(intents: IntentStore, id: string): Promise<IntentListing> {
  const listing = await intents.look(id);
  if (listing === undefined) throw new GatewayError('not_found', { issues: ['/id: there is no such intent'] });
  return listing;
}

function shown(listing: IntentListing, nowMs: number): JsonObject {
  const { stored, callsLeft } = listing;
  const { intent, holder, createdAtMs } = stored;
  const [own] = intent.allows;
  return {
    id: intent.id,
    state: stateOf(listing, nowMs),
    subject: holder.subject,
    ...(holder.actor && { actor: holder.actor.subject }),
    client: holder.client,
    tools: own?.tools ?? [],
    calls: { granted: own?.calls ?? 0, left: callsLeft },
    messageDigest: intent.messageDigest,
    ...(intent.purpose !== undefined && { purpose: intent.purpose }),
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: new Date(intent.expiresAtMs).toISOString(),
  };
}
