import { existsSync } from 'node:fs';
import type { GatewayConfig, VerifyOptions } from '@sallyport/gateway';
import { CliError } from '../exit.ts';

/**
 * What a machine knows that can vouch for an audit log: the signing key, where the master key is readable, and the checkpoints
 * that are kept beside it.
 */
export async function trustIn(config: GatewayConfig, path: string): Promise<VerifyOptions> {
  const { auditKeys, auditVerifierKey, loadMasterKey, witnessPath } = await import('@sallyport/gateway');
  const { masterKeyFile } = config;
  const witness = witnessPath(config);
  return {
    // Loading a key that is not there would make one, which proves nothing.
    keys: existsSync(masterKeyFile) ? [auditVerifierKey(path, auditKeys(loadMasterKey(masterKeyFile)))] : [],
    witnesses: existsSync(witness) ? [witness] : [],
  };
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
