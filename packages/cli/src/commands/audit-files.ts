import { existsSync } from 'node:fs';
import type { AuditKeys, AuditSource, GatewayConfig, VerifyOptions } from '@sallyport/gateway';
import type { AdminOptions } from '../client/admin-client.ts';
import { CliError } from '../exit.ts';

/**
 * What a machine knows that can vouch for an audit log: the signing key, where the master key is readable, and the checkpoints
 * that are kept beside it.
 */
export async function trustIn(config: GatewayConfig, path: AuditSource): Promise<VerifyOptions> {
  const { auditVerifierKey, witnessPath } = await import('@sallyport/gateway');
  const witness = witnessPath(config);
  const keys = await keysHere(config);
  return {
    keys: keys === undefined ? [] : [await auditVerifierKey(path, keys)],
    witnesses: existsSync(witness) ? [witness] : [],
  };
}

/** The keys of the log, where the master key is here. @throws Error when it is, and the others cannot be opened with it. */
async function keysHere(config: GatewayConfig): Promise<AuditKeys | undefined> {
  const { auditKeys, gatewayKeys, MasterKeyMissing } = await import('@sallyport/gateway');
  try {
    return auditKeys(gatewayKeys(config));
  } catch (error) {
    if (error instanceof MasterKeyMissing) return undefined;
    throw error;
  }
}

/** Options of everything that reads logs. */
export interface LogOptions extends AdminOptions {
  /** Where several gateways write into one database: whose log. */
  readonly log?: string;
}

/**
 * Where the logs of a configuration are: one, unless several gateways share a database and `log` names none of theirs.
 *
 * @throws CliError when there is none.
 */
export async function auditLogIn(config: GatewayConfig, { log }: LogOptions = {}): Promise<AuditSource> {
  const { auditLogs, auditOrigin, auditSource } = await import('@sallyport/gateway');
  const source = auditSource(config);
  if (typeof source === 'string') {
    if (log !== undefined) throw new CliError('usage', 'There is one log here: --log is for those in PostgreSQL.');
    if (existsSync(source)) return source;
    throw new CliError('unavailable', `There is no audit log at ${source}.`, {
      hint: 'It is made when the gateway starts. Another --config, or --data?',
    });
  }
  if (log === undefined) return source;
  const origins = await auditLogs(source);
  if (origins.includes(auditOrigin(log))) return { ...source, origin: auditOrigin(log) };
  throw new CliError('usage', `There is no audit log ${log} in the database.`, {
    hint: `There are: ${origins.join(', ')}`,
  });
}

/** The same, log by log: what verifies has to look at each by itself. */
export async function eachLogIn(config: GatewayConfig, options: LogOptions = {}): Promise<readonly AuditSource[]> {
  const source = await auditLogIn(config, options);
  if (typeof source === 'string' || source.origin !== undefined) return [source];
  const { auditLogs } = await import('@sallyport/gateway');
  return (await auditLogs(source)).map((origin) => ({ ...source, origin }));
}
