import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { startAuthorizationServer } from './support/server.ts';
import { startGuardedServer } from './support/upstream.ts';
import { agree, browse, callAs, startWorld, type World } from './support/world.ts';

const main = join(import.meta.dirname, '../../packages/cli/src/main.ts');

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Runs `sallyport credential …` as the owner would. */
async function credential({ folder }: World, ...words: readonly string[]): Promise<string> {
  const args = ['--conditions=sallyport-source', '--disable-warning=ExperimentalWarning', main, 'credential', ...words];
  const config = ['-c', join(folder, 'sallyport.yaml')];
  const env = { NO_COLOR: '1', NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };
  const { stdout } = await promisify(execFile)(process.execPath, [...args, ...config], { env });
  return stdout;
}

it('connects a service, lists what was granted, and takes it back', async () => {
  const [upstream, server] = [await startGuardedServer(), await startAuthorizationServer()];
  const path = '/.well-known/oauth-protected-resource/mcp';
  upstream.documents.set(path, { resource: upstream.url, authorization_servers: [server.origin] });
  const headers = { 'www-authenticate': 'Bearer scope="tickets:read"' };
  upstream.judge = (received) => (received.headers.authorization === undefined ? { status: 401, headers } : undefined);
  const world = await startWorld({ upstream, credential: { kind: 'oauth', allow: { loopback: true } } });
  closers.push(upstream.close, server.close, world.close);

  const page = (await credential(world, 'connect', 'tickets')).trim();
  expect(page).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/credentials\/connect\/[\w-]{43}$/);
  expect(await browse(page)).toBe(200);
  await world.listed();
  await callAs(world, await world.mint('alice'), { visit: agree });

  const table = await credential(world, 'list');
  expect(table).toMatch(/tickets +\(the gateway\) +http/);
  expect(table).toMatch(/tickets +alice +http.* tickets:read/);
  const { credentials } = JSON.parse(await credential(world, 'list', '--json'));
  expect(credentials).toHaveLength(2);
  expect(await credential(world, 'revoke', 'tickets', '--subject', 'alice')).toContain('1 revoked at tickets');
  expect(await credential(world, 'revoke', 'tickets', '--gateway')).toContain('1 revoked at tickets');
  expect(JSON.parse(await credential(world, 'list', '--json'))).toEqual({ credentials: [] });
  await expect(credential(world, 'connect', 'nothing')).rejects.toThrow();
});
