import type { Term } from './smt.ts';
import type { Sort } from './symbols.ts';

/** What an expression is worth, as far as it can be said; `ok`: when it has a worth at all and is no error. */
export interface Checked {
  readonly value: Value;
  readonly ok: Term;
}

/** A value of a policy, with its unknowns. */
export type Value = Plain | SetValue | RecordValue | EntityValue;

/** A value that a solver knows as such. */
export interface Plain {
  readonly kind: 'plain';
  readonly sort: Sort;
  readonly term: Term;
}

/** A set: written out in the policy, or one of the request, of which only can be asked what is in it. */
export type SetValue =
  | { readonly kind: 'set'; readonly elements: readonly Value[] }
  | { readonly kind: 'set'; readonly has: (element: Plain) => Term; readonly isEmpty: Term };

/** A record: which attributes it may have, and when it has them. */
export interface RecordValue {
  readonly kind: 'record';
  readonly attribute: (name: string) => { readonly present: Term; readonly value: Value } | undefined;
}

/** An entity that is asked who it is and what it belongs to. */
export interface EntityValue {
  readonly kind: 'entity';
  readonly type: string;
  readonly is: (uid: Uid) => Term;
  /** In it or below it. */
  readonly within: (uid: Uid) => Term;
  readonly record?: RecordValue;
}

/** What names an entity. */
export interface Uid {
  readonly type: string;
  readonly id: string;
}

/** The analysis does not know what this means: it says so and claims nothing. */
export class NotAnalysed extends Error {
  override readonly name = 'NotAnalysed';
}

export function plain(sort: Sort, term: Term): Plain {
  return { kind: 'plain', sort, term };
}
