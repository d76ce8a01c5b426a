import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createEmbedded } from './embedded.ts';
import { serveStdio } from './stdio.ts';
import { call } from './testing/client.ts';
import { answer, createRelay } from './testing/relay.ts';
import { createRig } from './testing/rig.ts';

describe('the embedded gateway', () => {
  it('calls and lists on the one path', async () => {
    const rig = createRig({ pageSize: 2 });
    const gateway = createEmbedded(rig.deps);
    const { result, isError, traceId } = await gateway.call({
      token: 'good',
      tool: 'blog.Posts.Read',
      input: { id: 7 },
    });
    expect([result, isError]).toEqual([{ id: 7 }, false]);
    expect(rig.records.at(-1)).toMatchObject({ callId: traceId, origin: { transport: 'embedded' } });
    expect(await gateway.listTools({ token: 'good' })).toHaveLength(6);
  });

  it('tells tool errors from refusals', async () => {
    const gateway = createEmbedded(createRig().deps);
    const failed = await gateway.call({ token: 'good', tool: 'blog.Posts.Fail' });
    expect(failed).toMatchObject({ isError: true, result: 'no such post' });
    await expect(gateway.call({ token: 'bad', tool: 'blog.Posts.Read' })).rejects.toMatchObject({
      reason: 'credential_invalid',
    });
    await expect(gateway.call({ token: 'good', tool: 'x' })).rejects.toMatchObject({ reason: 'unknown_tool' });
    const input = { n: 2 ** 60 };
    await expect(gateway.call({ token: 'good', tool: 'blog.Posts.Read', input })).rejects.toMatchObject({
      reason: 'malformed_request',
    });
  });

  it('cancels', async () => {
    const gateway = createEmbedded(createRig().deps);
    const abort = new AbortController();
    const slow = gateway.call({ token: 'good', tool: 'blog.Posts.Slow', signal: abort.signal });
    setTimeout(() => abort.abort(), 5);
    await expect(slow).rejects.toMatchObject({ reason: 'cancelled' });
  });
});

describe('prompts and resources of an embedded gateway', () => {
  it('are listed, filled in and read', async () => {
    const relay = createRelay();
    const gateway = createEmbedded(relay.deps);
    expect((await gateway.listPrompts({ token: 'good' })).map(({ name }) => name)).toEqual(['docs.prompts/greet']);
    expect((await gateway.listResources({ token: 'good' })).map(({ remoteName }) => remoteName)).toEqual(['file:///a']);
    relay.respond(({ argumentsText }) => answer(`{"messages":[],"asked":${argumentsText}}`));
    const filled = await gateway.getPrompt({ token: 'good', prompt: 'docs.greet', arguments: { who: 'x' } });
    expect(filled).toMatchObject({ result: { messages: [], asked: { who: 'x' } }, isError: false });
    const read = await gateway.readResource({ token: 'good', uri: 'docs+file:///b' });
    expect(read.result).toMatchObject({ asked: { uri: 'file:///b' } });
    await expect(gateway.readResource({ token: 'good', uri: 'file:///b' })).rejects.toMatchObject({
      reason: 'unknown_resource',
    });
  });

  it('may fail in the words of their service', async () => {
    const relay = createRelay();
    relay.respond(() => answer('{"code":-32602,"message":"No such page."}', { shape: 'error', isError: true }));
    const gateway = createEmbedded(relay.deps);
    expect(await gateway.readResource({ token: 'good', uri: 'docs+file:///b' })).toMatchObject({
      ...{ isError: true, code: 'invalid_argument', result: 'No such page.' },
    });
    expect(await gateway.call({ token: 'good', tool: 'docs.Search' })).toMatchObject({ code: 'invalid_argument' });
    relay.respond(() => answer('{"resultType":"task","taskId":"t"}', { resultType: 'task' }));
    expect(await gateway.call({ token: 'good', tool: 'docs.Search' })).toMatchObject({ code: 'failed_precondition' });
  });
});

describe('MCP over stdio', () => {
  function serve(rig = createRig()) {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const ended = serveStdio(rig.deps, { stdin, stdout, presented: { kind: 'bearer', token: 'good' } });
    const received = () =>
      String(stdout.read() ?? '')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    return { stdin, ended, received, rig };
  }

  it('answers one message a line, and what is in flight before it ends', async () => {
    const { stdin, ended, received } = serve();
    const text = `${call('blog.Posts.Slow', {}, 1)}\n\n${call('blog.Posts.Read', { text: 'Grüße' }, 2)}\r\n`;
    const bytes = Buffer.from(text);
    // In the middle of a character.
    stdin.write(bytes.subarray(0, bytes.length - 12));
    stdin.end(bytes.subarray(bytes.length - 12));
    await ended;
    expect(received().map(({ id, result }) => [id, result.structuredContent?.text])).toEqual([
      [2, 'Grüße'],
      [1, undefined],
    ]);
  });

  it('refuses and records what cannot be read', async () => {
    const { stdin, ended, received, rig } = serve();
    stdin.write('{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}\nnonsense\n');
    stdin.end('x'.repeat(100_000));
    await ended;
    const reasons = ['malformed_request', 'malformed_json', 'payload_too_large'];
    expect(received().map(({ error }) => error.data.reason)).toEqual(reasons);
    expect(rig.records.map(({ reason }) => reason)).toEqual(reasons);
  });
});
