import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditLogOptions, AuditSource } from '../audit/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { postgresLimits, readPostgresUrl } from '../store/index.ts';
import { postgresPlace } from './state.ts';

/** What of a configuration says where audit logs are. */
export type AuditPlaceConfig = Pick<GatewayConfig, 'data' | 'store' | 'audit'>;

/** Beside each other: what reads logs while the gateway writes. The writer has a connection of its own. */
const readers = 3;

/**
 * All audit logs that a configuration leads to, for reading: the one in the data folder, or those of all gateways that share a
 * PostgreSQL database.
 *
 * @throws Error when the URL or a secret cannot be read.
 */
export function auditSource(config: AuditPlaceConfig): AuditSource {
  const postgres = config.audit.store === 'sqlite' ? undefined : postgresPlace(config);
  if (postgres === undefined) return join(config.data, 'audit.db');
  const { url, password } = postgres;
  const limits = { ...postgresLimits, connections: readers };
  return { kind: 'postgres', access: { address: readPostgresUrl(url), ...(password && { password }), limits } };
}

/**
 * The audit log that the gateway of this configuration writes. In PostgreSQL it goes by `audit.name`, or by a name that is made
 * up once and kept in the data folder: no two gateways may have the same.
 *
 * @throws Error when the URL, a secret or the name cannot be read.
 */
export function auditPlace(config: AuditPlaceConfig): AuditLogOptions['path'] {
  const source = auditSource(config);
  return typeof source === 'string' ? source : { ...source, origin: originOf(config) };
}

/** What a log is called in its checkpoints, by the name in a configuration or on a command line. */
export function auditOrigin(name: string): string {
  return name.startsWith('sallyport/audit/') ? name : `sallyport/audit/${name}`;
}

function originOf({ data, audit }: AuditPlaceConfig): string {
  return auditOrigin(audit.name ?? keptName(data));
}

function keptName(data: string): string {
  const file = join(data, 'audit.name');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const name = randomUUID();
  writeFileSync(file, `${name}\n`, { mode: 0o600, flag: 'wx' });
  return name;
}
