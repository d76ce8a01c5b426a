import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, loadConfig, mintCredential, startGateway, writeCredentialFile } from '@sallyport/gateway';
import { announceTarget } from '../target.ts';

/** A gateway as it would be in production: durable audit, limits (out of the way), validation, everything on. */
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const credentialFile = join(folder, 'bench.json');
writeCredentialFile(credentialFile, mintCredential('bench'));

const generous = { rate: 1_000_000, burst: 1_000_000 };
const foreign = process.env.FOREIGN;
/** For benches that hold very many connections and sessions open. */
const many = Number(process.env.MANY ?? 0);
const file = join(folder, 'sallyport.yaml');
writeFileSync(
  file,
  JSON.stringify({
    version: 1,
    listen: { port: 0 },
    admin: { port: 0 },
    announce: { credentials: [{ file: credentialFile }] },
    ...(foreign && { services: { foreign: { address: foreign } } }),
    limits: {
      ...{ peer: generous, presets: { read: generous, write: generous } },
      ...(many && { maxConnections: many, sessions: { max: many, perPrincipal: many } }),
    },
  }),
);
const { config } = await loadConfig(file);
const gateway = await startGateway({ config, log: createLogger({ level: 'error' }) });
const token = await gateway.mintRunToken([]);
announceTarget(Number(new URL(gateway.mcpUrl).port), { token, hop: `unix:${config.announce.socket}`, credentialFile });
