import { existsSync } from 'node:fs';
import type { AuditKeys, GatewayConfig, VerifyOptions } from '@sallyport/gateway';
import { CliError } from '../exit.ts';

/**
 * What a machine knows that can vouch for an audit log: the signing key, where the master key is readable, and the checkpoints
 * that are kept beside it.
 */
export async function trustIn(config: GatewayConfig, path: string): Promise<VerifyOptions> {
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

/** Where the log of a configuration is. @throws CliError when there is none. */
export async function auditFile({ data }: GatewayConfig): Promise<string> {
  const { dataPaths } = await import('@sallyport/gateway');
  const path = dataPaths(data).audit;
  if (existsSync(path)) return path;
  throw new CliError('unavailable', `There is no audit log at ${path}.`, {
    hint: 'It is made when the gateway starts. Another --config, or --data?',
  });
}
