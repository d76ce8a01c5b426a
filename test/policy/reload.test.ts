import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sallyport, startGateway, type TestGateway, trialService, writeConfig } from '../e2e/support/gateway.ts';
import { endAll, startNode, temporaryFolder } from '../e2e/support/program.ts';

const tool = 'trials.Trial.Echo';
const folder = temporaryFolder();
const file = join(folder, 'policies/trials.policy.yaml');
const only = (word: string) => `tool: ${tool}\narguments:\n  text: { matches: "${word}*" }\nreason: Say ${word}.\n`;
let config: string;
let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  config = writeConfig(folder, `services:\n${trialService('trials')}\n`);
  gateway = await startGateway('run', config, { watch: true });
  token = await gateway.mint('agent', ['*']);
}, 60_000);
afterAll(endAll);

async function said(text: string): Promise<unknown> {
  const response = await fetch(new URL('/mcp/call', gateway.mcp), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ tool, input: { text } }),
  });
  const { error, result } = await response.json();
  return error === undefined ? result.text : [error.reason, error.reasons];
}

const soon = (ask: () => Promise<unknown>) => expect.poll(ask, { timeout: 15_000, interval: 100 });

it('policies count as soon as they are there, the folder of them too, and no longer than that', async () => {
  expect(await said('hello')).toBe('hello');
  mkdirSync(join(folder, 'policies'));
  writeFileSync(file, only('please'));
  await soon(() => said('hello')).toEqual(['policy_denied', ['Say please.']]);
  expect(await said('please do')).toBe('please do');
  const records = await gateway.records({ tool });
  expect(records.at(-1)).toMatchObject({ policies: ['scopes'], outcome: 'answered' });
  expect(records.find(({ outcome }) => outcome === 'refused')).toMatchObject({
    ...{ reason: 'policy_denied', policies: [`trials/${tool}/text`] },
    policyRevision: expect.stringMatching(/cedar\/[0-9a-f]{64}/),
  });
}, 30_000);

it('a mistake in them changes nothing, and the status says where it is', async () => {
  writeFileSync(join(folder, 'policies/more.cedar'), '@id("x")\nforbid(principal, action, resource) when { context.');
  await soon(async () => (await gateway.operate('gateway.status')).configuration?.problems).toEqual([
    expect.stringMatching(/policies\/more\.cedar:2:52 unexpected end of input$/),
  ]);
  expect(gateway.program.stderr()).toContain('policies/more.cedar:2:52');
  expect(await said('hello')).toEqual(['policy_denied', ['Say please.']]);
  expect(await said('please do')).toBe('please do');
}, 30_000);

it('once it is mended the new ones count', async () => {
  writeFileSync(file, only('thanks'));
  rmSync(join(folder, 'policies/more.cedar'));
  await soon(() => said('please do')).toEqual(['policy_denied', ['Say thanks.']]);
  expect(await gateway.operate('gateway.status')).not.toHaveProperty('configuration');
}, 30_000);

it('a decision point of the configuration is asked, too, and refuses when it is gone', async () => {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { input } = JSON.parse(Buffer.concat(chunks).toString());
    asked.push(input.context.arguments.text);
    response.end(JSON.stringify({ result: { allow: input.context.arguments.text !== 'thanks no', reasons: ['No.'] } }));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const point = `{ kind: opa, url: 'http://127.0.0.1:${port}/v1/data/x' }`;
  writeConfig(folder, `services:\n${trialService('trials')}\npolicy: { external: [${point}] }\n`);
  await soon(() => said('thanks no')).toEqual(['policy_denied', ['No.']]);
  expect(await said('thanks a lot')).toBe('thanks a lot');
  expect(asked).toContain('thanks a lot');
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
  expect(await said('thanks a lot')).toEqual(['policy_unavailable', undefined]);
}, 30_000);

it('at the start a mistake in them ends the start', async () => {
  const other = temporaryFolder();
  mkdirSync(join(other, 'policies'));
  writeFileSync(join(other, 'policies/a.policy.yaml'), 'tool: a.B\nalowed: [agent:x]\n');
  const program = startNode([...sallyport, 'serve', '--config', writeConfig(other, '')], { cwd: other });
  expect(await program.ended).not.toBe(0);
  expect(program.stderr()).toContain('policies/a.policy.yaml:2:1 unknown key "alowed"; did you mean "allowed"?');
}, 30_000);
