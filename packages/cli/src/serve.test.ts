import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mintCredential, writeCredentialFile } from '@sallyport/gateway';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CliProcess, cli, linkPackages, serviceSource, startCli, temporaryFolder } from './cli.fixture.ts';

let folder: string;
const children: CliProcess['child'][] = [];

beforeEach(() => {
  folder = temporaryFolder();
  linkPackages(folder);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test('serve runs the gateway alone: services announce with configured credentials, and no secret is printed', async () => {
  const credential = mintCredential('alpha');
  const file = join(folder, 'alpha.json');
  writeCredentialFile(file, credential);
  const yaml = `version: 1
listen: { port: 0 }
admin: { port: 0 }
announce: { credentials: [{ file: alpha.json }] }
services: { idle: { command: [node, idle.ts] } }
`;
  writeFileSync(join(folder, 'sallyport.yaml'), yaml);
  writeFileSync(join(folder, 'idle.ts'), `import { writeFileSync } from 'node:fs'; writeFileSync('started', '');`);
  writeFileSync(join(folder, 'alpha.ts'), serviceSource('alpha'));

  const serve = startCli(['serve', '--json'], { cwd: folder });
  children.push(serve.child);
  const ready = await serve.ready();
  expect(ready).toEqual({ event: 'ready', mcp: expect.any(String), admin: expect.any(String) });

  const { spawn } = await import('node:child_process');
  const env = {
    PATH: process.env.PATH,
    SALLYPORT_HOP: `unix:${folder}/.sallyport/hop.sock`,
    SALLYPORT_CREDENTIAL_FILE: file,
  };
  children.push(spawn(process.execPath, ['--conditions=sallyport-source', 'alpha.ts'], { cwd: folder, env }));
  const { out } = await cli(['token', 'create', '--name', 'agent', '--scope', 'alpha:read'], { cwd: folder });
  const target = { SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: out.trim() };
  await vi.waitFor(async () => {
    expect(await cli(['tools', 'call', 'alpha.Thing.Ping'], { env: target })).toMatchObject({ code: 0 });
  }, 10_000);

  serve.child.kill('SIGTERM');
  expect(await serve.ended()).toBe(0);
  const said = serve.stdout() + serve.stderr();
  expect(said).not.toContain('sp_');
  expect(said).not.toContain(credential.key);
  expect(existsSync(join(folder, 'started'))).toBe(false);
});
