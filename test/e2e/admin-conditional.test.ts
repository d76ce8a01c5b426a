import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway, writeConfig } from './support/gateway.ts';
import { endAll, temporaryFolder } from './support/program.ts';

let gateway: TestGateway;
let token: string;
beforeAll(async () => {
  gateway = await startGateway('serve', writeConfig(temporaryFolder(), ''));
  token = await gateway.mint('root', ['admin:*'], 'person');
}, 30_000);
afterAll(endAll);

function ask(operation: string, args: object = {}, headers: Readonly<Record<string, string>> = {}) {
  return fetch(new URL(`/admin/v1/${operation}`, gateway.admin), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(args),
  });
}

it('what administration shows has a tag, and what has changed since is not changed again by who did not see that', async () => {
  const made = await (await ask('tokens.create', { account: 'ci', scopes: ['posts:read'] })).json();
  const seen = (await ask('tokens.list')).headers.get('etag') ?? '';
  expect(seen).toMatch(/^"[\w-]{22}"$/);
  expect((await ask('tokens.list')).headers.get('etag')).toBe(seen);
  const { id } = made.result;
  expect((await ask('tokens.revoke', { id }, { 'If-Match': seen })).status).toBe(200);
  const refused = await ask('tokens.rotate', { id }, { 'If-Match': seen });
  expect([refused.status, (await refused.json()).error.reason]).toEqual([412, 'precondition_failed']);
  const [record] = await gateway.records({ reason: 'precondition_failed' });
  expect(record).toMatchObject({ tool: 'admin.tokens.rotate', outcome: 'refused', subject: 'root' });
});

it('administration describes itself, to who may read it', async () => {
  const url = new URL('/admin/v1/openapi.json', gateway.admin);
  expect((await fetch(url)).status).toBe(401);
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  const document = await answer.json();
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.keys(document.paths);
  expect(operations).toEqual(
    expect.arrayContaining(['/admin/v1/approvals.approve', '/admin/v1/gateway.openapi', '/admin/v1/policies.replay']),
  );
  for (const path of operations) expect(document.paths[path].post.operationId).toBe(path.replace('/admin/v1/', ''));
});
