import type { GatewayConfig } from '../config/index.ts';
import { createReadSecret, type SecretPlace } from '../credentials/index.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import { openPostgres, ping } from '../store/database.ts';
import { openState, type PostgresPlace, type State } from '../store/index.ts';
import { postgresLimits } from '../store/postgres-access.ts';
import { readPostgresUrl } from '../store/postgres-url.ts';

/** What of a configuration says where the state is. */
export type StateConfig = Pick<GatewayConfig, 'store'>;

/** What opening the state takes. */
export interface StateParts {
  /** Of the file, where the state is in one. */
  readonly path: string;
  /** Tells the keys apart under which what is in the state was hashed and sealed, and tells nothing of them. */
  readonly keysId: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/**
 * Where the PostgreSQL server of a configuration is; undefined where the state is in a file.
 *
 * @throws Error when a secret cannot be read.
 */
export function postgresPlace({ store }: StateConfig, env = process.env): PostgresPlace | undefined {
  if (store.kind === 'sqlite') return undefined;
  const read = createReadSecret({ readFile: readPrivateFile, env });
  const secret = (place: SecretPlace): string => read(place);
  const { url, password, connections } = store;
  return {
    url: typeof url === 'string' ? url : secret(url),
    ...(password && { password: () => secret(password) }),
    limits: { connections },
  };
}

/**
 * Opens the state of a gateway.
 *
 * @throws Error when it cannot be opened, was written by a newer version, or belongs to gateways with other keys; GatewayError
 * `store_unavailable` when a server does not answer.
 */
export async function openGatewayState(config: StateConfig, { path, keysId, nowMs }: StateParts): Promise<State> {
  const postgres = postgresPlace(config);
  if (postgres === undefined) return openState({ path, nowMs });
  const state = await openState({ postgres, nowMs }).catch((error: unknown) => {
    throw new Error(`the database of store.url cannot be used: ${reasonOf(error)}`, { cause: error });
  });
  if (await state.belongsTo(keysId)) return state;
  await state.close();
  throw new Error(
    'the database of store.url belongs to gateways with other keys: all that share it need the same master key and the same ' +
      'keyring.json (masterKeyFile or masterKey, and keyRing)',
  );
}

/**
 * Whether the database of a configuration can be used, and what it says where it cannot; undefined where the state is in a file.
 */
export async function examineDatabase(config: StateConfig, env = process.env): Promise<DatabaseReport | undefined> {
  if (config.store.kind === 'sqlite') return undefined;
  try {
    const { url, password } = postgresPlace(config, env) ?? { url: '' };
    const address = readPostgresUrl(url);
    const where = `${address.database} at ${address.host}${address.tls ? ', over TLS' : ''}`;
    const access = { address, limits: { ...postgresLimits, connections: 1 }, ...(password && { password }) };
    const database = await openPostgres(access);
    try {
      await ping(database);
      return { ok: true, words: where };
    } catch (error) {
      return { ok: false, words: reasonOf(error) };
    } finally {
      await database.close();
    }
  } catch (error) {
    return { ok: false, words: reasonOf(error) };
  }
}

/** What was found out about a database; the words hold no secret. */
export interface DatabaseReport {
  readonly ok: boolean;
  readonly words: string;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
