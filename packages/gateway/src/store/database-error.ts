import { GatewayError } from '@sallyport/core';

/** What went wrong in a database, as far as callers can do something about it. */
export type DatabaseFault = 'exists' | 'missing' | 'again' | 'other';

/**
 * An error of a database: with the code the database gave it and nothing of what was being written, which may be secret.
 * `again`: another transaction was in the way, and the same one may pass now.
 */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly fault: DatabaseFault;
  /** SQLSTATE, or SQLite's extended result code. */
  readonly code: string;

  /** @param words what the database says, where that cannot hold what was being written. */
  constructor(fault: DatabaseFault, code: string, words?: string) {
    super(`the database refused a statement (${code})${words === undefined ? '' : `: ${words}`}`);
    this.fault = fault;
    this.code = code;
  }
}

/** PostgreSQL's SQLSTATE, SQLite's extended result codes. */
const faults: Readonly<Record<string, DatabaseFault>> = {
  '23505': 'exists',
  '1555': 'exists',
  '2067': 'exists',
  '23503': 'missing',
  '787': 'missing',
  '40001': 'again',
  '40P01': 'again',
};

/**
 * Classes and codes of SQLSTATE that say the server cannot serve now: connection, resources, shutdown, a statement that took
 * too long, a lock that was not had in time, a server that may only be read.
 */
const unavailable = /^(08|53|57|58|28|3D|55P03|25006|25P03|XX)/;
const sqlState = /^[0-9A-Z]{5}$/;
/** SQLite's primary result codes for what is wrong with a statement, not with the file: error, constraint, mismatch, misuse, range. */
const statementCodes: readonly number[] = [1, 19, 20, 21, 25];

/**
 * What an error of `pg` or of `node:sqlite` is here: a `DatabaseError`, or `store_unavailable` when the database could not be
 * asked at all. The original stays behind, because PostgreSQL puts values of rows into it.
 */
export function toDatabaseError(error: unknown): Error {
  if (error instanceof DatabaseError || error instanceof GatewayError) return error;
  const code = codeOf(error);
  if (code !== undefined && isAboutStatement(code)) {
    // What is wrong with a statement itself is in its text, which holds no values.
    const isSyntax = code === '1' || code.startsWith('42');
    const words = isSyntax && error instanceof Error ? error.message : undefined;
    return new DatabaseError(faults[code] ?? 'other', code, words);
  }
  return new GatewayError('store_unavailable', {}, { cause: new Error(reachedWords(error, code)) });
}

function isAboutStatement(code: string): boolean {
  if (sqlState.test(code)) return !unavailable.test(code);
  return statementCodes.includes(Number(code) & 0xff);
}

/** Whether a connection must not be used again: everything but an answer of the server that leaves it as it was. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || !sqlState.test(code) || /^(08|57P|25P0[23])/.test(code);
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('errcode' in error) return String(error.errcode);
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** For the operator: the words of drivers and the operating system name hosts and ports, never passwords. */
function reachedWords(error: unknown, code: string | undefined): string {
  if (!(error instanceof Error)) return 'the database gave a transaction up';
  const words = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message;
  const isNamed = code === undefined || words.includes(code);
  return `the database cannot be used: ${words}${isNamed ? '' : ` (${code})`}`;
}
