import { join } from 'node:path';
import { GatewayError, type JsonText } from '@sallyport/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, ConversationRequest } from '../../packages/gateway/src/upstream/mcp/conversation.ts';
import { beginning, request } from '../../packages/gateway/src/upstream/mcp/testing/conversation.ts';
import {
  begin,
  call,
  closeServers,
  server,
  serverCommand,
} from '../../packages/gateway/src/upstream/mcp/testing/stdio.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

afterEach(closeServers);

/** Asks anything. */
function ask(conversation: Conversation, method: string, params: object, more: Partial<ConversationRequest> = {}) {
  return conversation.request(request(method, { paramsText: JSON.stringify(params) as JsonText, ...more }));
}

const elicitation = '{"elicitation":{"form":{}}}' as JsonText;

/** Gives a call up that the server never answers. */
async function giveUp(conversation: Conversation, owner: string): Promise<void> {
  const ended = new AbortController();
  const answer = call(conversation, 'wait', { owner, signal: ended.signal });
  ended.abort(new GatewayError('cancelled'));
  await expect(answer).rejects.toMatchObject({ reason: 'cancelled' });
}

describe('a stdio server of the first SDK', () => {
  const command = serverCommand(join(import.meta.dirname, 'sdk-one-stdio-server.ts'));

  it('speaks the legacy era, with everything in it', async () => {
    const first = server({ command });
    expect(await first.begin('modern', beginning())).toBeUndefined();
    const made = await begin(first, 'legacy');
    expect(made.server.info).toMatchObject({ name: 'first', version: '1.4.2' });
    expect(await call(made, 'add', { arguments: { a: 1, b: 2 } })).toMatchObject({
      value: { content: [{ type: 'text', text: '3' }] },
    });
    expect(await ask(made, 'resources/read', { uri: 'note://one' })).toMatchObject({
      value: { contents: [{ text: 'one' }] },
    });
    expect(await ask(made, 'resources/templates/list', {})).toMatchObject({
      value: { resourceTemplates: [{ uriTemplate: 'note://{id}' }] },
    });
    expect(await ask(made, 'prompts/get', { name: 'greet', arguments: { name: 'Ada' } })).toMatchObject({
      value: { messages: [{ content: { text: 'Greet Ada' } }] },
    });
    expect(await ask(made, 'acme/none', {})).toMatchObject({ kind: 'error', code: -32601 });
  });

  it('asks its caller, tells how far it is, and writes its log', async () => {
    const made = await begin(server({ command }), 'legacy');
    const onQuestion: ConversationRequest['onQuestion'] = ({ answer }) =>
      answer('{"action":"accept","content":{"sure":true}}' as JsonText);
    expect(await call(made, 'confirm', { onQuestion })).toMatchObject({
      value: { content: [{ text: '{"action":"accept","content":{"sure":true}}' }] },
    });
    expect(await call(made, 'confirm')).toMatchObject({ value: { isError: true } });
    const seen: unknown[] = [];
    await call(made, 'work', {
      onProgress: ({ progress, total }) => void seen.push([progress, total]),
      onNotification: (method) => void seen.push(method),
    });
    expect(seen).toEqual([[1, 3], [2, 3], [3, 3], 'notifications/message']);
  });

  it('asks a caller of a shared process who gave a call up before, and nobody else', async () => {
    const made = await begin(server({ command }), 'legacy');
    const asked: string[] = [];
    const confirm = (owner: string) => {
      const onQuestion: ConversationRequest['onQuestion'] = ({ answer }) => {
        asked.push(owner);
        answer('{"action":"accept","content":{"sure":true}}' as JsonText);
      };
      return call(made, 'confirm', { owner, onQuestion });
    };
    await giveUp(made, 'ada');
    expect(await confirm('ada')).toMatchObject({ value: { content: [{ text: expect.stringContaining('accept') }] } });
    expect(await confirm('bob')).toMatchObject({ value: { isError: true } });
    expect(asked).toEqual(['ada']);
  });

  it('hears that a call was cancelled', async () => {
    const made = await begin(server({ command, isolation: 'caller' }), 'legacy');
    const told: string[] = [];
    made.onNotification((_method, paramsText) => void told.push(paramsText));
    const ended = new AbortController();
    const answer = call(made, 'wait', { signal: ended.signal });
    ended.abort(new GatewayError('upstream_timeout'));
    await expect(answer).rejects.toMatchObject({ reason: 'upstream_timeout' });
    await eventually(() => expect(told.join()).toContain('cancelled'));
  });
});

describe('a stdio server of the second SDK', () => {
  const command = serverCommand(join(import.meta.dirname, 'sdk-two-stdio-server.ts'));

  it('speaks the modern era, in which it asks with its answer', async () => {
    const made = await begin(server({ command }), 'modern');
    expect(made).toMatchObject({ version: '2026-07-28', server: { info: { name: 'second', version: '2.0.0' } } });
    const asked = await call(made, 'confirm', { capabilitiesText: elicitation });
    expect(asked).toMatchObject({
      value: { resultType: 'input_required', inputRequests: { sure: { method: 'elicitation/create' } } },
    });
    const inputResponses = { sure: { action: 'accept', content: { sure: true } } };
    const again = await ask(
      made,
      'tools/call',
      { name: 'confirm', arguments: {}, inputResponses },
      { capabilitiesText: elicitation },
    );
    expect(again).toMatchObject({ value: { resultType: 'complete', content: [{ text: '{"sure":true}' }] } });
    expect(await call(made, 'confirm')).toMatchObject({ kind: 'error', code: -32021 });
  });

  it('asks whoever called, whatever others gave up before', async () => {
    const made = await begin(server({ command }), 'modern');
    await giveUp(made, 'ada');
    for (const owner of ['ada', 'bob']) {
      const asked = await call(made, 'confirm', { owner, capabilitiesText: elicitation });
      expect(asked).toMatchObject({ value: { resultType: 'input_required' } });
    }
  });

  it('is subscribed to, and unsubscribed from', async () => {
    const made = await begin(server({ command }), 'modern');
    const told: string[] = [];
    const ended = new AbortController();
    const listening = ask(
      made,
      'subscriptions/listen',
      { notifications: { toolsListChanged: true } },
      { signal: ended.signal, onNotification: (method) => void told.push(method) },
    );
    listening.catch(() => undefined);
    await eventually(() => expect(told).toEqual(['notifications/subscriptions/acknowledged']));
    await call(made, 'grow');
    await eventually(() => expect(told.at(-1)).toBe('notifications/tools/list_changed'));
    ended.abort(new GatewayError('cancelled'));
    await expect(listening).rejects.toMatchObject({ reason: 'cancelled' });
    const count = told.length;
    await call(made, 'grow');
    expect(told).toHaveLength(count);
  });

  it('speaks the legacy era to a caller of that era who has a process of his own', async () => {
    const made = await begin(server({ command, isolation: 'caller' }), 'legacy', { capabilitiesText: elicitation });
    expect(made).toMatchObject({ era: 'legacy', version: '2025-11-25' });
    const onQuestion: ConversationRequest['onQuestion'] = ({ answer }) =>
      answer('{"action":"accept","content":{"sure":true}}' as JsonText);
    expect(await call(made, 'confirm', { onQuestion })).toMatchObject({
      value: { content: [{ text: '{"sure":true}' }] },
    });
  });
});
