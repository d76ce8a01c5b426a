import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { dataPaths } from '@sallyport/gateway';
import { startGateway, writeConfig } from './gateway.ts';
import { temporaryFolder } from './program.ts';
import type { CallerTarget } from './upstream-callers.ts';
import { type FaultWorld, listed } from './upstream-world.ts';

/**
 * Starts a second gateway before the same server, with the keys of the first one, so that each opens what the other has
 * sealed, and with its accounts as they are now. Resolves with where the server is mounted at it.
 */
export async function startReplica({ gateway, upstream, token }: FaultWorld): Promise<CallerTarget> {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  mkdirSync(`${data}-keys`, { mode: 0o700 });
  for (const name of ['master.key', 'keyring.json']) {
    copyFileSync(`${gateway.data}-keys/${name}`, `${data}-keys/${name}`);
  }
  const accounts = new DatabaseSync(dataPaths(gateway.data).state, { readOnly: true });
  accounts.exec(`VACUUM INTO '${dataPaths(data).state}'`);
  accounts.close();
  const services = { [upstream.kind]: { address: upstream.address ?? '' } };
  const replica = await startGateway('serve', writeConfig(folder, `services: ${JSON.stringify(services)}\n`));
  await listed(replica, upstream.kind);
  return { url: new URL(`${replica.mcp.href}/${upstream.kind}`), token };
}
