import type { JsonText } from '@sallyport/core';
import { afterEach, describe, expect, it } from 'vitest';
import { closeSessions, connect, slow, startSessions as start } from './testing/session-client.ts';

afterEach(closeSessions);

const question = (key: string) => ({
  text: JSON.stringify({
    resultType: 'input_required',
    inputRequests: { [key]: { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: {} } } },
    requestState: `state-${key}`,
  }) as JsonText,
  resultType: 'input_required',
});

describe('L10: questions to a client', () => {
  const capabilities = { elicitation: {} };
  const asking = async () => {
    const gateway = await start();
    const client = await connect(gateway.mcp, { capabilities });
    const general = await client.get();
    const reading = client.stream(slow(7));
    await expect.poll(() => gateway.running.length).toBe(1);
    gateway.running[0]?.finish(question('q'));
    const stream = await reading;
    await expect.poll(() => stream.messages().length).toBe(1);
    return { ...gateway, client, general, stream, asked: stream.messages()[0] };
  };

  it('come on the stream of the request they belong to, and the answer goes to the service', async () => {
    const { client, general, stream, asked, running } = await asking();
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { message: 'Sure?' } });
    expect((await client.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } })).status).toBe(202);
    await expect.poll(() => running.length).toBe(2);
    expect(running[1]?.permit.retry).toMatchObject({ requestState: 'state-q' });
    expect(JSON.parse(running[1]?.permit.retry?.inputResponsesText ?? '{}')).toEqual({ q: { action: 'accept' } });
    running[1]?.finish();
    expect(await stream.ended).toBe(true);
    expect(stream.messages().at(-1)).toMatchObject({ id: 7, result: {} });
    expect(general.messages()).toEqual([]);
    expect((await client.post({ jsonrpc: '2.0', id: asked.id, result: {} })).status).toBe(400);
  });

  it('are answered by nobody else: not in another session, not by another principal', async () => {
    const { mcp, client, asked, running } = await asking();
    const answer = { jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } };
    const [mine, hers] = [await connect(mcp), await connect(mcp, { token: 'eve' })];
    expect((await mine.post(answer)).body.error.data.reason).toBe('unknown_question');
    expect((await hers.post(answer)).body.error.data.reason).toBe('unknown_question');
    const stolen = await client.post(answer, { authorization: 'Bearer eve' });
    expect(stolen.body.error.data.reason).toBe('unknown_session');
    expect(running).toHaveLength(1);
  });

  it('wait for a client that lost its connection and comes back', async () => {
    const { client, stream, asked, running } = await asking();
    stream.drop();
    const again = await client.get({ 'last-event-id': stream.events[0]?.id ?? '' });
    await expect.poll(() => again.messages()).toMatchObject([{ id: asked.id }]);
    await client.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'decline' } });
    await expect.poll(() => running.length).toBe(2);
    running[1]?.finish();
    expect(await again.ended).toBe(true);
  });

  it('are withdrawn when the request is cancelled', async () => {
    const { client, stream, asked } = await asking();
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } });
    expect(await stream.ended).toBe(true);
    expect(stream.messages().slice(1)).toMatchObject([
      { method: 'notifications/cancelled', params: { requestId: asked.id } },
    ]);
  });
});
