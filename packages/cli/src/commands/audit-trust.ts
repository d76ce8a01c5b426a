import { existsSync } from 'node:fs';
import type { GatewayConfig, VerifyOptions } from '@sallyport/gateway';

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
