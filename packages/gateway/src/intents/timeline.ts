import type { Actor, AuditRecord, IntentListing, StoredIntent } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { exchangeService, exchangeTool } from './manifest.ts';

/** A record of how something ended, as the log has it. */
export type EndRecord = Omit<AuditRecord, 'argumentsText' | 'request' | 'origin'> & { readonly argumentsHash?: string };

/** What a timeline is made from. */
export interface TimelineFacts {
  readonly listing: IntentListing;
  /** Intents made from it. */
  readonly made: readonly StoredIntent[];
  /** How the exchange ended that made it, if that is in the log. */
  readonly exchange: EndRecord | undefined;
  /** What was done under it and those made from it. */
  readonly records: readonly EndRecord[];
  /** The user's message, where it was kept and may be read. */
  readonly message: string | undefined;
  readonly nowMs: number;
}

/**
 * Everything that came of one message of a user, in the order it happened: the message, who was given what for it, each call
 * with its outcome, and what was refused. A call of a service stands after the call that it served, and names it.
 */
export function timelineOf(facts: TimelineFacts): JsonObject {
  const { listing, made, exchange, records, nowMs } = facts;
  const { stored, callsLeft } = listing;
  const { intent, holder, createdAtMs, revokedAtMs, createdBy, credentialId } = stored;
  const [own, parent] = intent.allows;
  const byTime = [...records].sort((one, other) => one.timeMs - other.timeMs || depthOf(one) - depthOf(other));
  return {
    intent: {
      id: intent.id,
      ...(parent && { madeFrom: parent.intent }),
      ...(intent.purpose !== undefined && { purpose: intent.purpose }),
      state: stateOf(listing, nowMs),
      ...whoOf(holder),
      scopes: holder.scopes,
      tools: own?.tools ?? [],
      ...(own && own.bounds.length > 0 && { bounds: own.bounds as unknown as JsonObject[] }),
      ...(own?.serving && { serving: own.serving }),
      calls: { granted: own?.calls ?? 0, left: callsLeft },
      createdAt: timeText(createdAtMs),
      expiresAt: timeText(intent.expiresAtMs),
      ...(revokedAtMs !== undefined && { revokedAt: timeText(revokedAtMs) }),
      credentialId,
    },
    timeline: [
      messageEvent(facts),
      {
        at: timeText(exchange?.timeMs ?? createdAtMs),
        what: 'given',
        ...whoOf(holder),
        intent: intent.id,
        callId: createdBy,
        ...(exchange && { traceId: exchange.traceId }),
      },
      ...byTime.map((record) => callEvent(record, { byTime, made, intentId: intent.id })),
    ],
  };
}

function messageEvent({ listing, exchange, message }: TimelineFacts): JsonObject {
  const { stored, sealedMessage } = listing;
  return {
    at: timeText(exchange?.timeMs ?? stored.createdAtMs),
    what: 'message',
    subject: stored.holder.subject,
    digest: stored.intent.messageDigest,
    ...(message !== undefined && { text: message }),
    kept: sealedMessage !== undefined,
  };
}

interface Around {
  readonly byTime: readonly EndRecord[];
  readonly made: readonly StoredIntent[];
  readonly intentId: string;
}

function callEvent(record: EndRecord, { byTime, made, intentId }: Around): JsonObject {
  const { timeMs, durationMs, verb, tool, operation, service, instance, toolVersion, callId, traceId } = record;
  const { outcome, reason, stage, toolError, argumentsHash } = record;
  const isExchange = tool === `${exchangeService}.${exchangeTool}`;
  const given = isExchange ? made.find(({ createdBy }) => createdBy === callId)?.intent.id : undefined;
  const served = servedBy(record, byTime);
  return {
    at: timeText(timeMs),
    what: isExchange ? 'exchange' : verb === 'invoke' ? 'call' : verb,
    ...whoOf(record),
    ...(record.intent && record.intent.id !== intentId && { intent: record.intent.id }),
    ...(tool !== undefined && { tool }),
    ...(operation !== undefined && { operation }),
    outcome,
    ...(toolError === true && { toolError }),
    ...(reason !== undefined && { reason }),
    ...(stage !== undefined && reason !== undefined && { stage }),
    ...(given !== undefined && { gave: given }),
    ...(served && { serving: served.callId }),
    durationMs: Math.round(durationMs * 10) / 10,
    ...(service !== undefined && { service }),
    ...(toolVersion !== undefined && { toolVersion }),
    ...(instance !== undefined && { instance }),
    ...(argumentsHash !== undefined && { argumentsHash }),
    callId,
    traceId,
  };
}

/** The call that a service was serving when it made this one: of the same trace, by the same chain without that service. */
function servedBy(record: EndRecord, records: readonly EndRecord[]): EndRecord | undefined {
  const [service, ...rest] = chainOf(record.actor);
  if (service === undefined || !service.startsWith('service:')) return undefined;
  return records.findLast(
    (other) =>
      other !== record &&
      other.traceId === record.traceId &&
      other.timeMs <= record.timeMs &&
      `service:${other.service}` === service &&
      chainOf(other.actor).join('\n') === rest.join('\n'),
  );
}

function depthOf({ actor }: EndRecord): number {
  return chainOf(actor).length;
}

function chainOf(actor: Actor | undefined): readonly string[] {
  const chain: string[] = [];
  for (let next = actor; next !== undefined; next = next.actor) chain.push(next.subject);
  return chain;
}

function whoOf({ subject, actor, client, session, tenant, app }: Partial<Pick<EndRecord, WhoMember>>): JsonObject {
  return {
    ...(subject !== undefined && { subject }),
    ...(actor && { actors: chainOf(actor) }),
    ...(client !== undefined && { client }),
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
  };
}

type WhoMember = 'subject' | 'actor' | 'client' | 'session' | 'tenant' | 'app';

/** What an intent is good for now. */
export function stateOf(
  { stored, callsLeft }: IntentListing,
  nowMs: number,
): 'revoked' | 'expired' | 'spent' | 'active' {
  if (stored.revokedAtMs !== undefined) return 'revoked';
  if (!(nowMs < stored.intent.expiresAtMs)) return 'expired';
  return callsLeft > 0 ? 'active' : 'spent';
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
