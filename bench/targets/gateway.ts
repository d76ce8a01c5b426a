import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, loadConfig, mintCredential, startGateway } from '@sallyport/gateway';
import { announceTarget } from '../target.ts';

/** A gateway as it would be in production: durable audit, limits (out of the way), validation, everything on. */
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const generous = { rate: 1_000_000, burst: 1_000_000 };
const foreign = process.env['FOREIGN'];
writeFileSync(
  join(folder, 'sallyport.yaml'),
  JSON.stringify({
    version: 1,
    listen: { port: 0 },
    admin: { port: 0 },
    ...(foreign && { services: { foreign: { address: foreign } } }),
    limits: { peer: generous, presets: { read: generous, write: generous } },
  }),
);
const { config } = await loadConfig(join(folder, 'sallyport.yaml'));
const credential = mintCredential('bench');
writeFileSync(join(folder, 'bench.json'), JSON.stringify(credential), { mode: 0o600 });
const gateway = await startGateway({ config, log: createLogger({ level: 'error' }), runCredentials: [credential] });
const token = await gateway.mintRunToken([]);
const port = new URL(gateway.mcpUrl).port;
announceTarget(Number(port), {
  token,
  hop: `unix:${config.announce.socket}`,
  credentialFile: join(folder, 'bench.json'),
});
