import { join } from 'node:path';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { callbackAuditLog, createGateway, mcpRegistry } from '@sallyport/gateway';
import { fakePrincipal } from '@sallyport/testkit';
import { afterEach, expect, it } from 'vitest';
import { createApprovalDesk } from './support/approval-desk.ts';
import { byHand, closeAll, opened } from './support/approval-world.ts';

afterEach(closeAll);

async function open() {
  const file = join(import.meta.dirname, 'support/approval-offers.ts');
  const registry = mcpRegistry({ offers: { command: [process.execPath, file] } });
  const desk = createApprovalDesk('all');
  const gateway = createGateway({
    ...{ registry, approvers: [desk.approver], approvalWaitMs: 1_500 },
    authenticators: [{ authenticate: () => fakePrincipal({ subject: 'agent' }) }],
    audit: callbackAuditLog(() => undefined),
  });
  opened.push(() => registry.close());
  opened.push(() => gateway.close());
  const url = await gateway.listen({ port: 0 });
  await expect.poll(() => registry.settling).toBe(false);
  const ask = byHand({ url }, { elicitation: { form: {} } });
  return { ask, desk, url };
}

it('prompts and resources wait like calls, and come when they are granted', async () => {
  const { ask, desk } = await open();
  const wanted = [
    ['prompts/get', { name: 'offers.digest' }, { messages: [{ content: { text: 'Digest this.' } }] }],
    ['resources/read', { uri: 'offers+note://1' }, { contents: [{ text: 'a note' }] }],
  ] as const;
  for (const [method, params, result] of wanted) {
    const { result: waiting } = await ask(method, params);
    expect(waiting).toMatchObject({
      resultType: 'input_required',
      inputRequests: { approval: { method: 'elicitation/create', params: { mode: 'form' } } },
    });
    const { requestState } = waiting;
    const again = ask(method, { ...params, requestState, inputResponses: { approval: { action: 'accept' } } });
    desk.grant(await desk.asked());
    expect((await again).result).toMatchObject(result);
  }
});

it('clients that cannot be asked about those are told the id in an error', async () => {
  const { desk, url } = await open();
  const client = new LegacyClient({ name: 'agent', version: '1' });
  await client.connect(new LegacyTransport(url) as never);
  const waiting = { code: 409, data: { reason: 'suspended', question: 'apr_1', expiresAt: expect.any(String) } };
  await expect(client.getPrompt({ name: 'offers.digest' })).rejects.toMatchObject(waiting);
  desk.grant('apr_1');
  expect(await client.getPrompt({ name: 'offers.digest' })).toMatchObject({ messages: [{ role: 'user' }] });
  await client.close();
});

it('waiting comes between a call and the question of its service, and between that and its answer', async () => {
  const { ask, desk } = await open();
  const call = { name: 'offers.confirm', arguments: {} };
  const granted = async (params: Record<string, unknown>): Promise<any> => {
    const { result } = await ask('tools/call', params);
    expect(result.inputRequests).toHaveProperty('approval');
    desk.grant(await desk.asked());
    const { requestState } = result;
    const answered = { ...call, requestState, inputResponses: { approval: { action: 'accept', content: {} } } };
    return (await ask('tools/call', answered)).result;
  };
  const question = await granted(call);
  expect(question).toMatchObject({ resultType: 'input_required', inputRequests: { sure: {} } });
  const inputResponses = { sure: { action: 'accept', content: { sure: true } } };
  expect(await granted({ ...call, requestState: question.requestState, inputResponses })).toMatchObject({
    content: [{ text: '{"sure":true}' }],
  });
});
