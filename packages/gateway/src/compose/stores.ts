import { createHmac, type KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AccessRequest } from '@sallyport/core';
import type { Logger } from 'pino';
import {
  type AuditFilter,
  type AuditPage,
  type AuditRow,
  type FoundRows,
  findAudit,
  type OpenAuditLog,
  openAuditLog,
  openSealed,
} from '../audit/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { adoptKey, openKeys } from '../secrets/index.ts';
import type { State } from '../store/index.ts';
import { auditPlace, auditSource } from './audit-place.ts';
import { auditKeys, keyPlaces } from './keys.ts';
import { openGatewayState } from './state.ts';
import { createWitnesses, type Witnesses, type WitnessesParts } from './witnesses.ts';

/** Everything of a gateway that lies on disk, opened. */
export interface Stores {
  readonly state: State;
  readonly auditLog: OpenAuditLog;
  /** Those who are sent its checkpoints. */
  readonly witnesses: Pick<Witnesses, 'stats'>;
  /** The same log for reading, with what is sealed in it. */
  readonly auditReader: AuditReader;
  /** The key under which secrets of tokens are hashed. */
  readonly pepper: KeyObject;
  /** The key under which handles that callers bring back are sealed. */
  readonly handleKey: KeyObject;
  /** The key under which grants of users at upstreams are sealed. */
  readonly grantKey: KeyObject;
  /** The keys under which the authorization server seals what it keeps, and hashes the names of it. */
  readonly authServerKeys: { readonly seal: KeyObject; readonly names: KeyObject };
  close(): Promise<void>;
}

/** Finds records, and opens what is sealed in them. */
export interface AuditReader {
  find(filter: AuditFilter, page: AuditPage): Promise<FoundRows>;
  /** @throws DataKeyDestroyed; Error when it cannot be opened. */
  open(row: AuditRow): Promise<{ readonly request?: AccessRequest; readonly argumentsText?: string } | undefined>;
}

/** Where the files of a data folder are. */
export function dataPaths(
  data: string,
): Record<'state' | 'audit' | 'adminSocket' | 'lastKnown' | 'lastListed', string> {
  return {
    state: join(data, 'state.db'),
    audit: join(data, 'audit.db'),
    adminSocket: join(data, 'admin.sock'),
    lastKnown: join(data, 'last-known.json'),
    lastListed: join(data, 'last-listed.json'),
  };
}

/** What the stores of a gateway are opened with. */
export interface OpenOptions extends Pick<WitnessesParts, 'egress'> {
  readonly config: GatewayConfig;
  readonly log: Logger;
}

/** Opens the data folder, making it (0700) if there is none. @throws Error when something in it cannot be used. */
export async function openStores({ config, log, egress }: OpenOptions, nowMs: () => number): Promise<Stores> {
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  const paths = dataPaths(config.data);
  const places = keyPlaces(config);
  const keys = openKeys(places, nowMs());
  const keysId = createHmac('sha256', keys.of('token-pepper')).update('keys of a store').digest('hex').slice(0, 32);
  const state = await openGatewayState(config, { path: paths.state, keysId, nowMs });
  const witnesses = createWitnesses({ config, log, nowMs, env: process.env, egress });
  try {
    const audits = auditSource(config);
    const auditLog = await openAuditLog({
      path: auditPlace(config),
      keys: auditKeys(keys),
      log,
      witness: witnessPath(config),
      onCheckpoint: witnesses.tell,
      durability: config.audit.durability,
      retention: config.audit.retention,
    });
    // The log signs with it now, and has that on the disk.
    if (keys.next('audit-signing') !== undefined) adoptKey(places, 'audit-signing');
    return {
      state,
      auditLog,
      witnesses,
      auditReader: {
        find: (filter, page) => findAudit(audits, filter, page),
        open: async (row) => openSealed(row, { path: audits, seal: auditKeys(keys).seal }),
      },
      pepper: keys.of('token-pepper'),
      handleKey: keys.of('handles'),
      grantKey: keys.of('upstream-grants'),
      authServerKeys: { seal: keys.of('authserver'), names: keys.of('authserver-names') },
      async close() {
        await auditLog.close();
        await witnesses.close();
        await state.close();
      },
    };
  } catch (error) {
    await witnesses.close();
    await state.close();
    throw error;
  }
}

/**
 * Where checkpoints of the audit log are kept a second time: beside the master key, so that whoever can write the data
 * folder alone cannot cut or rewrite the log unnoticed.
 */
export function witnessPath({ masterKeyFile, audit }: Pick<GatewayConfig, 'masterKeyFile' | 'audit'>): string {
  return audit.witness ?? join(dirname(masterKeyFile), 'audit-checkpoints.log');
}
