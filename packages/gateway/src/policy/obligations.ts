import type { Obligation } from '@sallyport/core';
import { unitMs } from '../text/fields.ts';
import type { CedarPolicy } from './types.ts';

/** Annotations as they are written. */
type Written = Readonly<Partial<Record<string, string>>>;

/**
 * What a permit asks for besides, by its annotations: `@approve`, `@consent`, `@second_factor`, `@redact`, `@limit`, `@notify`, `@audit`,
 * each at most once. A forbid asks for nothing.
 *
 * @throws Error for one that cannot be read, which reading the file has refused already: it is never left out.
 */
export function obligationsOf({
  id,
  effect,
  annotations,
}: Pick<CedarPolicy, 'id' | 'effect' | 'annotations'>): readonly Obligation[] {
  if (effect === 'forbid') return [];
  const written: Written = annotations;
  const { redact, notify, audit } = written;
  const pointers = redact?.split(/\s+/).filter((pointer) => pointer !== '') ?? [];
  return [
    ...approvalOf(id, written),
    ...secondFactorOf(id, written),
    ...(pointers.length > 0 ? [{ kind: 'redact', policy: id, pointers } as const] : []),
    ...limitOf(id, written),
    ...(notify === undefined ? [] : [{ kind: 'notify', policy: id, channel: notify } as const]),
    ...(audit === undefined ? [] : [{ kind: 'audit', policy: id } as const]),
  ];
}

function approvalOf(policy: string, written: Written): readonly Obligation[] {
  const { approve, approvals = '1', consent, approval_life: life, why } = written;
  const told = { ...(life !== undefined && { lifeMs: msOf(policy, life) }), ...(why !== undefined && { why }) };
  const people = approve !== undefined && { scope: approve, approvals: countOf(policy, approvals) };
  return [
    ...(people ? [{ kind: 'approve', policy, ...people, ...told } as const] : []),
    ...(consent === undefined
      ? []
      : [{ kind: 'consent', policy, ...(consent === 'always' && { always: true }), ...told } as const]),
  ];
}

function secondFactorOf(policy: string, { second_factor: age }: Written): readonly Obligation[] {
  if (age === undefined) return [];
  return [{ kind: 'second-factor', policy, ...(age !== '' && { maxAgeMs: msOf(policy, age) }) }];
}

/** `5 per 1h`: five at once, and as many on average. */
function limitOf(policy: string, { limit, limit_of: of }: Written): readonly Obligation[] {
  if (limit === undefined) return [];
  const [count = '', duration = ''] = limit.split(' per ');
  const burst = countOf(policy, count);
  const rate = burst / (msOf(policy, duration) / 1000);
  return [{ kind: 'limit', policy, limit: { rate, burst }, of: of === 'all' ? 'all' : 'principal' }];
}

function countOf(policy: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${policy}: "${text}" is no number of something`);
  return count;
}

function msOf(policy: string, text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit] ?? Number.NaN);
  if (!(ms > 0)) throw new Error(`${policy}: "${text}" is no duration`);
  return ms;
}
