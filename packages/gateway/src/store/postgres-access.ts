import type { PostgresAddress } from './postgres-url.ts';

/** What a connection may take. Nothing waits for a dead server longer than this. */
export interface PostgresLimits {
  /** Connections at a time, besides the one that listens. */
  readonly connections: number;
  /** Milliseconds to get a connection, be it a new one or one that somebody else holds. */
  readonly connectMs: number;
  /** Milliseconds for one statement, here and at the server. */
  readonly statementMs: number;
}

/** What is right for a gateway in front of a database that is near. */
export const postgresLimits: PostgresLimits = { connections: 10, connectMs: 3_000, statementMs: 5_000 };

/** How to connect; the password is asked for at each new connection, so that it can be changed without a restart. */
export interface PostgresAccess {
  readonly address: PostgresAddress;
  readonly password?: () => string | Promise<string>;
  readonly limits: PostgresLimits;
}
