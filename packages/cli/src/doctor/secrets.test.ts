import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli, temporaryFolder } from '../cli.fixture.ts';

test('doctor looks at the secrets that services and webhooks name: who can read the files, which are missing, which variables are set', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'open.secret'), 'x', { mode: 0o644 });
  writeFileSync(join(folder, 'closed.secret'), 'x', { mode: 0o600 });
  writeFileSync(
    join(folder, 'sallyport.yaml'),
    `version: 1
services:
  a: { address: 'https://a.example/mcp', credential: { kind: bearer, token: { file: open.secret } } }
  b: { stdio: [b], env: { LEVEL: info, KEY: { file: closed.secret }, OTHER: { env: B_OTHER } } }
  c: { address: 'https://c.example/mcp', credential: { kind: header, name: X-Key, value: { file: none.secret } } }
approvals: { webhooks: { desk: { url: 'https://d.example/', secret: { file: closed.secret } } } }
`,
  );
  const { out } = await cli(['doctor', '--json'], { cwd: folder });
  rmSync(folder, { recursive: true });
  const seen = JSON.parse(out).findings.filter(({ what }: { what: string }) => what.startsWith('secret of'));
  expect(seen).toMatchObject([
    { what: 'secret of a', state: 'bad', advice: `chmod 600 '${join(folder, 'open.secret')}'` },
    { what: 'secret of b', state: 'good' },
    { what: 'secret of b', state: 'unknown' },
    { what: 'secret of c', state: 'bad' },
    { what: 'secret of webhook desk', state: 'good' },
  ]);
});
