import type { AccessRequest } from '@sallyport/core';
import type { ArgumentType } from '../types.ts';
import type { Entity, Known, Unknown } from './values.ts';

/**
 * That a path does not lead to a value: its name number `at` is not in the record before it (`isAbsent`), or what is before it
 * is no record but `instead`.
 */
export class Missing {
  readonly at: number;
  readonly instead: Known | undefined;

  constructor(at: number, instead?: Known) {
    this.at = at;
    this.instead = instead;
  }

  get isAbsent(): boolean {
    return this.instead === undefined;
  }
}

/** That what is at a path has no exact encoding: a policy that looks at it cannot be evaluated. */
export const refused: unique symbol = Symbol('refused');

/** What is at a path of a request. */
export type Found = Known | Unknown | Missing | typeof refused;

/** An entity of a request: which, and the keys of all that it is in, itself too. */
export interface Placed {
  readonly entity: Entity;
  readonly within: ReadonlySet<string>;
}

/** One question, ready to be looked at. */
export interface Subject {
  readonly request: AccessRequest;
  readonly principal: Placed;
  readonly action: Placed;
  readonly resource: Placed;
  /** How its arguments are typed. Undefined: nobody knows. */
  readonly argumentType: ArgumentType | undefined;
  /** Names of arguments that are taken as known although others are not, with what they are. */
  readonly assumed?: ReadonlyMap<string, Known>;
}

/** Reads what is at one path. */
export type Read = (subject: Subject) => Found;

/** What one decision looks at; what is at a path is read once. */
export interface Frame {
  readonly subject: Subject;
  /** What is at the path of this number. */
  found(path: number): Found;
}

/** A frame for one decision after another, so that none is made for each. `reads`: by number of the path. */
export class Frames implements Frame {
  readonly #reads: readonly Read[];
  readonly #found: (Found | undefined)[] = [];
  readonly #used: number[] = [];
  #subject: Subject | undefined;

  constructor(reads: readonly Read[]) {
    this.#reads = reads;
  }

  get subject(): Subject {
    if (this.#subject === undefined) throw new Error('nothing is being decided');
    return this.#subject;
  }

  /** Runs `body` on a question. Nothing of it is kept afterwards. */
  during<Result>(subject: Subject, body: (frame: Frame) => Result): Result {
    if (this.#subject !== undefined) return new Frames(this.#reads).during(subject, body);
    this.#subject = subject;
    try {
      return body(this);
    } finally {
      for (const path of this.#used) this.#found[path] = undefined;
      this.#used.length = 0;
      this.#subject = undefined;
    }
  }

  found(path: number): Found {
    const known = this.#found[path];
    if (known !== undefined) return known;
    const read = this.#reads[path];
    const found = read === undefined ? refused : read(this.subject);
    this.#found[path] = found;
    this.#used.push(path);
    return found;
  }
}
