import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../audit/checkpoint.ts';
import { auditVerifierKey, verifyAudit } from '../audit/index.ts';
import { readVerifierKey } from '../audit/note.ts';
import { loadConfig } from '../config/index.ts';
import { startGateway } from './start.ts';

let folder: string;
let server: Server;
let status = 204;
const heard: { readonly authorization: string | undefined; readonly note: string }[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sp-witness-'));
  heard.length = 0;
  status = 204;
  server = createServer(async (request, response) => {
    let note = '';
    for await (const chunk of request) note += chunk;
    if (status === 204) heard.push({ authorization: request.headers.authorization, note });
    response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function gateway(webhooks: readonly object[]) {
  const file = join(folder, 'sallyport.yaml');
  const audit = { webhooks };
  writeFileSync(file, JSON.stringify({ version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 }, audit }));
  writeFileSync(join(folder, 'token'), 'a secret\n', { mode: 0o600 });
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const { config } = await loadConfig(file);
  return { running: await startGateway({ config, log }), config, logged };
}

const here = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/checkpoints`;

it('checkpoints are sent to a witness, which can tell with them that the log was cut', async () => {
  const { running, config, logged } = await gateway([{ url: here(), token: { file: 'token' } }]);
  await running.mintRunToken(['*']);
  await running.close();
  const path = join(config.data, 'audit.db');
  expect(heard.length).toBeGreaterThan(0);
  expect(heard.every(({ authorization }) => authorization === 'Bearer a secret')).toBe(true);
  const last = heard.at(-1)?.note ?? '';
  const key = await auditVerifierKey(path);
  expect(openCheckpoint(last, [readVerifierKey(key)])).toMatchObject({ closed: true });
  const kept = join(folder, 'kept');
  writeFileSync(kept, heard.map(({ note }) => `${JSON.stringify(note)}\n`).join(''));
  await expect(verifyAudit(path, { keys: [key], witnesses: [kept] })).resolves.toMatchObject({ ok: true });
  expect(logged.join()).not.toContain('a secret');
});

it('a witness that is away or refuses keeps nothing waiting; the log says so once, and it is told when it is back', async () => {
  status = 503;
  const { running, logged } = await gateway([{ url: here() }, { url: 'http://127.0.0.1:9/nobody' }]);
  await expect.poll(() => logged.filter((line) => line.includes('takes no checkpoints')).length).toBe(2);
  expect(heard).toEqual([]);
  status = 204;
  await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(1);
  expect(logged.filter((line) => line.includes('takes no checkpoints'))).toHaveLength(2);
  expect(logged.join()).toContain('takes checkpoints again');
  await running.close();
});
