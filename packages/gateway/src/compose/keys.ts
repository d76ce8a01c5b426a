import { KeyObject } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { AuditKeys } from '../audit/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { deriveKey, type KeyPlaces, type KeyPurpose, type Keys, type MasterPlace, readKeys } from '../secrets/index.ts';

/** What of a configuration says where keys are. */
export type KeyConfig = Pick<GatewayConfig, 'masterKeyFile' | 'masterKey' | 'keyRing'>;

/** Where the keys of a gateway are. The ring lies beside the master key's file, or where that would be, unless said otherwise. */
export function keyPlaces(
  { masterKeyFile, masterKey, keyRing }: KeyConfig,
  env: KeyPlaces['env'] = process.env,
): KeyPlaces {
  const master: MasterPlace = masterKey ?? { file: masterKeyFile };
  return { master, ring: keyRing ?? join(dirname(masterKeyFile), 'keyring.json'), env };
}

/**
 * The keys of a gateway, for those who read what it keeps: nothing is made or changed.
 *
 * @throws MasterKeyMissing; Error when the keys cannot be opened with the master key.
 */
export function gatewayKeys(config: KeyConfig, env: KeyPlaces['env'] = process.env): Keys {
  return readKeys(keyPlaces(config, env));
}

/** The keys of the audit log, of a gateway's keys or derived from a key of an embedder's own: also for those who only read it. */
export function auditKeys(keys: Pick<Keys, 'of' | 'next' | 'old'> | KeyObject): AuditKeys {
  const of = (purpose: KeyPurpose): Uint8Array =>
    (keys instanceof KeyObject ? deriveKey(keys, purpose) : keys.of(purpose)).export();
  const next = keys instanceof KeyObject ? undefined : keys.next('audit-signing');
  const old = keys instanceof KeyObject ? [] : keys.old('audit-signing');
  return {
    ...{ argumentHash: of('argument-hash'), seal: of('sealing'), signing: of('audit-signing') },
    ...(next && { nextSigning: next.export() }),
    ...(old.length > 0 && { oldSigning: old.map((key) => key.export()) }),
  };
}
