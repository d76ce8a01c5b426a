import {
  type CallId,
  type Endpoint,
  GatewayError,
  type NewIntent,
  type Origin,
  type Presented,
  type Principal,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Exchange, Exchanges } from './exchanges.ts';
import { accessTokenType } from './form.ts';
import type { ExchangeArguments } from './manifest.ts';
import { type IntentLimits, type Narrowed, type Narrowing, narrow, refused } from './narrow.ts';
import { joinSources, type SourceDeps, sourceOf } from './source.ts';

/** A secret for a new token: only its hash is kept. */
export interface DrawnToken {
  readonly id: string;
  readonly text: string;
  readonly secretHash: string;
}

/** What exchanging leans on. */
export interface ExchangeDeps extends Omit<SourceDeps, 'intents'> {
  readonly intents: SourceDeps['intents'] & { add(intent: NewIntent): Promise<void> };
  readonly exchanges: Exchanges;
  readonly authenticate: (evidence: {
    readonly presented: Presented;
    readonly origin: Origin;
    readonly endpoint: Endpoint;
  }) => Promise<Principal>;
  readonly drawToken: () => DrawnToken;
  /** Seals a user's message, to be read again by whoever may. */
  readonly sealMessage: (intentId: string, message: string) => string;
  readonly covers: Narrowing['covers'];
  readonly limits: () => IntentLimits;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** Who asks, as the pipeline found out. */
export interface ExchangeContext {
  readonly principal: Principal;
  readonly callId: CallId;
}

/** Does the exchange that a call stands for: makes the intent, stores it, and hands out its token, this once. */
export function createExchange(deps: ExchangeDeps) {
  return async (args: JsonObject, { principal, callId }: ExchangeContext): Promise<JsonObject> => {
    const exchange = deps.exchanges.of(callId);
    if (exchange === undefined) throw new GatewayError('internal', {}, { cause: 'no exchange is under way' });
    const asked = args as unknown as ExchangeArguments;
    const actor = await actorOf(exchange, deps);
    const subjects = await sourceOf(principal, deps);
    const source = actor === undefined ? subjects : joinSources(subjects, await sourceOf(actor, deps));
    const { id, text, secretHash } = deps.drawToken();
    const { covers, limits, nowMs } = deps;
    const narrowed = narrow({
      ...{ id, asked, subject: principal, actor, source, covers },
      ...{ limits: limits(), nowMs: nowMs() },
    });
    const { message } = exchange.form;
    await deps.intents.add({
      ...narrowed,
      ...{ secretHash, createdBy: callId, credentialId: principal.credentialId },
      ...(message !== undefined && { sealedMessage: deps.sealMessage(id, message) }),
    });
    exchange.hand(text);
    return answerOf(narrowed);
  };
}

/** Who is to act for the subject. Whoever acts for somebody already, or for one intent only, cannot be given more to do so. */
async function actorOf({ form, origin }: Exchange, deps: ExchangeDeps): Promise<Principal | undefined> {
  const { actorToken, endpoint } = form;
  if (actorToken === undefined) return undefined;
  const presented = { kind: 'bearer', token: actorToken } as const;
  const actor = await deps.authenticate({ presented, origin, endpoint }).catch((thrown: unknown) => {
    const error = GatewayError.from(thrown, 'authenticate');
    throw error.code === 'unauthenticated' ? refused('actor_token', error.message) : error;
  });
  if (actor.intent !== undefined || actor.actor !== undefined) {
    throw refused('actor_token', 'acts for somebody else already');
  }
  return actor;
}

/** RFC 8693 §2.2.1, but for the token, with what was granted (RFC 9396 §7). The message is not told again. */
function answerOf({ intent, holder, binding, createdAtMs }: Narrowed): JsonObject {
  const [own] = intent.allows;
  if (own === undefined) throw new GatewayError('internal');
  const { tools, bounds, calls, serving } = own;
  const expiresIn = Math.floor((intent.expiresAtMs - createdAtMs) / 1000);
  const details = {
    type: 'intent',
    identifier: intent.id,
    message_digest: intent.messageDigest,
    ...(intent.purpose !== undefined && { purpose: intent.purpose }),
    tools,
    ...(bounds.length > 0 && { bounds: bounds as unknown as JsonObject[] }),
    ...(calls !== undefined && { calls }),
    ...(serving && { serving }),
    expires_in: expiresIn,
  };
  return {
    issued_token_type: accessTokenType,
    token_type: binding?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: expiresIn,
    scope: holder.scopes.join(' '),
    authorization_details: [details],
  };
}
