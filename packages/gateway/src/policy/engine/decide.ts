import type { Obligation, Shadow, Verdict } from '@sallyport/core';
import type { Outcome } from './judge.ts';

/** A policy as decisions need it. */
export interface Ruling {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly isShadow: boolean;
  readonly obligations: readonly Obligation[];
  /** What the caller may be told when it refuses. */
  readonly reason: string | undefined;
  /** What its owners are told of it: its id and what it looks at, no values. */
  readonly description: string;
}

/** What became of the policies that apply to one request. */
export class Tally {
  readonly permits: Ruling[] = [];
  readonly forbids: Ruling[] = [];
  readonly errors: Ruling[] = [];
  readonly #shadows: { readonly ruling: Ruling; readonly outcome: Outcome }[] = [];

  add(ruling: Ruling, outcome: Outcome): void {
    if (outcome === 'fails') return;
    if (ruling.isShadow) this.#shadows.push({ ruling, outcome });
    else this.#place(ruling, outcome);
  }

  #place(ruling: Ruling, outcome: Outcome): void {
    if (outcome === 'errs') this.errors.push(ruling);
    else if (ruling.effect === 'forbid') this.forbids.push(ruling);
    else this.permits.push(ruling);
  }

  /** Cedar's decision, but stricter: a policy that applies and cannot be evaluated denies, be it a permit or a forbid. */
  get effect(): 'permit' | 'deny' {
    return this.permits.length > 0 && this.forbids.length === 0 && this.errors.length === 0 ? 'permit' : 'deny';
  }

  /** Ids of those that decided: the forbids, if any; else the permits, unless there was an error. */
  get determining(): readonly string[] {
    const deciding = this.forbids.length > 0 || this.errors.length > 0 ? this.forbids : this.permits;
    return deciding.map(({ id }) => id);
  }

  verdict(): Verdict {
    const { effect, errors } = this;
    const shadow = this.#shadow(effect);
    return {
      effect,
      policies: this.determining,
      ...(effect === 'permit' ? this.#asked() : this.#refused()),
      ...(errors.length > 0 && { errors: errors.map(({ id }) => id) }),
      ...(shadow && { shadow }),
    };
  }

  #asked(): Pick<Verdict, 'obligations'> {
    let obligations: readonly Obligation[] | undefined;
    for (const { obligations: more } of this.permits) {
      if (more.length > 0) obligations = obligations === undefined ? more : [...obligations, ...more];
    }
    return obligations === undefined ? {} : { obligations };
  }

  #refused(): Pick<Verdict, 'reasons' | 'explanation'> {
    const reasons = [...new Set(this.forbids.flatMap(({ reason }) => (reason === undefined ? [] : [reason])))];
    return { explanation: this.#explanation(), ...(reasons.length > 0 && { reasons }) };
  }

  #explanation(): string {
    const { forbids, errors } = this;
    const parts = [
      ...forbids.map(({ description }) => `forbidden by ${description}`),
      ...errors.map(({ description }) => `cannot be evaluated: ${description}`),
    ];
    return parts.length > 0 ? parts.join('; ') : 'no policy permits it';
  }

  /** What it had been with the policies that are only tried: where that is another decision, or asks for more. */
  #shadow(effect: 'permit' | 'deny'): Shadow | undefined {
    if (this.#shadows.length === 0) return undefined;
    const all = new Tally();
    all.permits.push(...this.permits);
    all.forbids.push(...this.forbids);
    all.errors.push(...this.errors);
    for (const { ruling, outcome } of this.#shadows) all.#place(ruling, outcome);
    const tried = this.#shadows.map(({ ruling }) => ruling);
    const asksMore = all.effect === 'permit' && tried.some(({ obligations }) => obligations.length > 0);
    if (all.effect === effect && !asksMore) return undefined;
    const errors = all.errors.filter((ruling) => tried.includes(ruling)).map(({ id }) => id);
    return { effect: all.effect, policies: [...new Set([...all.determining, ...errors])] };
  }
}
