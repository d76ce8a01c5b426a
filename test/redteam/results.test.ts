import { createResultStamp, metaKeys } from '@sallyport/protocol';
import { expect, it } from 'vitest';
import { readToolResult } from '../../packages/gateway/src/transport/tool-result.ts';
import { readResult as readKitResult } from '../../packages/gateway/src/upstream/kit-answer.ts';
import { readInbound } from '../../packages/gateway/src/upstream/mcp/message.ts';

const callId = '11111111-2222-3333-4444-555555555555';
const stamp = createResultStamp('modern', { name: 'sallyport', version: '1.0.0' });

it.each([
  ['plainly', metaKeys.traceId],
  ['with an escaped letter', metaKeys.traceId.replace('t', '\\u0074')],
  ['with an escaped slash', metaKeys.traceId.replace('/', '\\/')],
])('a service that writes the trace id itself, %s, is overruled', (_how, key) => {
  const answer = JSON.parse(stamp.service(`{"content":[],"_meta":{"${key}":"forged","kept":1}}`, callId));
  expect(answer._meta).toMatchObject({ [metaKeys.traceId]: callId, kept: 1 });
});

it('what is checked of a result is what a plain caller gets, though it be there twice', () => {
  const text = '{"structuredContent":{"checked":false},"content":[],"structuredContent":{"checked":true}}';
  expect(JSON.parse(readToolResult(text).text)).toEqual(JSON.parse(text).structuredContent);
});

it.each(['1', '"x{y"', '[]', '{"isError":true}'])('a foreign server cannot hide %s behind its result', (hidden) => {
  const message = `{"jsonrpc":"2.0","id":7,"result":${hidden},"result":{"content":[]}}`;
  expect(readInbound(message)).toBeUndefined();
});

it.each(['{"content":[],"resultType":"input_required","inputRequests":{}}', '{"content":[],"resultType":null}'])(
  'a service cannot put questions of its own to an agent: %s is no tool result',
  (text) => {
    expect(readKitResult(text, 'tools/call')).toBeUndefined();
  },
);

it('a result that says it is complete is one', () => {
  expect(readKitResult('{"content":[],"resultType":"complete"}', 'tools/call')).toBeDefined();
});
