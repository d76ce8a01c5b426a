import {
  type Allowance,
  compilePattern,
  GatewayError,
  type IntentHolder,
  type NewIntent,
  type Principal,
} from '@sallyport/core';
import type { ExchangeArguments, IntentDetails } from './manifest.ts';
import type { Source } from './source.ts';

/** How far intents go at most, whatever they are made from. */
export interface IntentLimits {
  /** Milliseconds. */
  readonly maxLifeMs: number;
  readonly maxCalls: number;
}

/** What is asked for, and what it is made from. */
export interface Narrowing {
  readonly id: string;
  readonly asked: ExchangeArguments;
  readonly subject: Principal;
  /** Who is to act for the subject with it. Absent: whoever had the subject's token. */
  readonly actor: Principal | undefined;
  readonly source: Source;
  /** Whether a scope that is held covers one that is wanted. */
  readonly covers: (held: string, wanted: string) => boolean;
  readonly limits: IntentLimits;
  readonly nowMs: number;
}

/** What exchange decides of an intent; the rest is for whoever stores it. */
export type Narrowed = Pick<
  NewIntent,
  'intent' | 'holder' | 'binding' | 'resource' | 'tokenIds' | 'vouchers' | 'createdAtMs'
>;

/** More intents made from one another than any sensible delegation has. */
const deepestLineage = 8;

/**
 * Makes an intent that is in no way wider than what it is made from. Whatever is asked for beyond that is refused rather than
 * left out: who asks for more than it gets should know.
 *
 * @throws GatewayError `invalid_input`, with an issue that begins with the parameter it is about.
 */
export function narrow(narrowing: Narrowing): Narrowed {
  const { id, asked, subject, actor, source, nowMs } = narrowing;
  const [details] = asked.authorization_details;
  const parents = source.parent?.stored.intent.allows ?? [];
  if (parents.length >= deepestLineage) throw refused('subject_token', 'was exchanged too often already');
  const resource = resourceOf(asked.resource, source.resource);
  return {
    intent: {
      id,
      messageDigest: digestOf(details, source),
      ...purposeOf(details, source),
      expiresAtMs: endOf(details, narrowing),
      allows: [allowanceOf(details, narrowing), ...parents],
    },
    holder: holderOf(subject, actor, scopesOf(asked.scope, narrowing)),
    ...(source.binding && { binding: source.binding }),
    ...(resource !== undefined && { resource }),
    tokenIds: source.tokenIds,
    vouchers: source.vouchers,
    createdAtMs: nowMs,
  };
}

/** The refusal of something that was asked for. */
export function refused(parameter: string, why: string): GatewayError {
  return new GatewayError('invalid_input', { issues: [`/${parameter}: ${why}`] });
}

function inDetails(member: string, why: string): GatewayError {
  return refused(`authorization_details/0/${member}`, why);
}

function allowanceOf(details: IntentDetails, { id, source, limits }: Narrowing): Allowance {
  const { tools, bounds = [], calls = 1, serving } = details;
  const left = source.parent?.callsLeft ?? limits.maxCalls;
  if (calls > Math.min(left, limits.maxCalls)) {
    throw inDetails('calls', `at most ${Math.min(left, limits.maxCalls)} may be asked for`);
  }
  for (const parent of source.parent?.stored.intent.allows ?? []) {
    const wider = tools.find((tool) => !isWithin(tool, parent.tools));
    if (wider !== undefined) throw inDetails('tools', `"${wider}" is more than the token that is exchanged allows`);
    const { serving: within } = parent;
    if (within && serving?.some((pattern) => !isWithin(pattern, within))) {
      throw inDetails('serving', 'is more than the token that is exchanged allows');
    }
  }
  return { intent: id, tools, bounds, calls, ...(serving && { serving }) };
}

/** Whether one of these patterns matches whatever that one does: to them its stars are characters like any other. */
function isWithin(pattern: string, patterns: readonly string[]): boolean {
  return patterns.some((wider) => compilePattern(wider)(pattern));
}

/** An intent that is made from another one is about the same message. */
function digestOf({ message_digest: digest }: IntentDetails, { parent }: Source): string {
  const known = parent?.stored.intent.messageDigest;
  if (digest === undefined && known === undefined) throw inDetails('message_digest', 'it or message is needed');
  if (known !== undefined && digest !== undefined && digest !== known) {
    throw inDetails('message_digest', 'is of another message than that of the token that is exchanged');
  }
  return known ?? digest ?? '';
}

/** One that is made from another is for the same, whatever that is: policies let more be done for one thing than for another. */
function purposeOf({ purpose: asked }: IntentDetails, { parent }: Source): { readonly purpose?: string } {
  const purpose = parent === undefined ? asked : parent.stored.intent.purpose;
  if (asked !== undefined && asked !== purpose) {
    throw inDetails('purpose', 'is another than that of the token that is exchanged');
  }
  return purpose === undefined ? {} : { purpose };
}

function endOf({ expires_in: seconds }: IntentDetails, { source, limits, nowMs }: Narrowing): number {
  const latestMs = Math.min(source.expiresAtMs, nowMs + limits.maxLifeMs);
  if (!(latestMs > nowMs)) throw new GatewayError('credential_expired');
  if (seconds === undefined) return latestMs;
  const endMs = nowMs + seconds * 1000;
  if (endMs <= latestMs) return endMs;
  throw inDetails('expires_in', `at most ${Math.floor((latestMs - nowMs) / 1000)} may be asked for`);
}

/** Nothing that is made for an intent administers the gateway. */
function isAdministration(scope: string): boolean {
  return scope === 'admin' || scope.startsWith('admin:');
}

function scopesOf(asked: string | undefined, { subject, covers }: Narrowing): readonly string[] {
  const held = subject.scopes.filter((scope) => !isAdministration(scope));
  if (asked === undefined) return held;
  const wanted = [...new Set(asked.split(' ').filter((scope) => scope !== ''))];
  if (wanted.length === 0) throw refused('scope', 'is empty');
  const wider = wanted.find((scope) => isAdministration(scope) || !held.some((one) => covers(one, scope)));
  if (wider !== undefined) throw refused('scope', `"${wider}" is more than the token that is exchanged has`);
  return wanted;
}

function resourceOf(asked: string | undefined, known: string | undefined): string | undefined {
  if (known !== undefined && asked !== known) {
    throw refused('resource', 'is not that of the token that is exchanged');
  }
  return asked;
}

function holderOf(subject: Principal, actor: Principal | undefined, scopes: readonly string[]): IntentHolder {
  const { session, tenant, app, attributes } = subject;
  const common = {
    subject: subject.subject,
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    ...{ scopes, attributes },
  };
  if (actor === undefined) {
    return { ...common, ...(subject.actor && { actor: subject.actor }), client: subject.client, kind: subject.kind };
  }
  if (actor.tenant !== tenant) throw refused('actor_token', 'belongs to another tenant');
  return {
    ...common,
    actor: { subject: actor.subject, ...(subject.actor && { actor: subject.actor }) },
    client: actor.client,
    kind: reachesInternal(subject.kind) && !reachesInternal(actor.kind) ? actor.kind : subject.kind,
  };
}

/** Who acts for an owner or a service does not become one. */
function reachesInternal(kind: Principal['kind']): boolean {
  return kind === 'owner' || kind === 'service';
}
