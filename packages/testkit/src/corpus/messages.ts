import type { MessageAttack } from './attack.ts';

const call = '"method":"tools/call"';

/** Whole messages that are no JSON-RPC 2.0 request; ids are in them so that answers can find their way. */
export const malformedMessages: readonly MessageAttack[] = [
  { name: 'nothing but an opening brace', text: '{', reason: 'malformed_json' },
  { name: 'text', text: 'hello', reason: 'malformed_json' },
  { name: 'a message and more', text: `{"jsonrpc":"2.0","id":1,${call}} x`, reason: 'malformed_json' },
  { name: 'an empty batch', text: '[]', reason: 'malformed_request' },
  { name: 'a batch of one', text: `[{"jsonrpc":"2.0","id":1,${call},"params":{}}]`, reason: 'malformed_request' },
  { name: 'a number', text: '7', reason: 'malformed_request' },
  { name: 'null', text: 'null', reason: 'malformed_request' },
  { name: 'no version', text: `{"id":1,${call},"params":{}}`, reason: 'malformed_request' },
  { name: 'another version', text: `{"jsonrpc":"1.0","id":1,${call},"params":{}}`, reason: 'malformed_request' },
  { name: 'a version that is a number', text: `{"jsonrpc":2.0,"id":1,${call}}`, reason: 'malformed_request' },
  { name: 'an id that is null', text: `{"jsonrpc":"2.0","id":null,${call},"params":{}}`, reason: 'malformed_request' },
  { name: 'an id that is a fraction', text: `{"jsonrpc":"2.0","id":1.5,${call}}`, reason: 'malformed_request' },
  { name: 'an id that is an object', text: `{"jsonrpc":"2.0","id":{},${call}}`, reason: 'malformed_request' },
  { name: 'a method that is a number', text: '{"jsonrpc":"2.0","id":1,"method":1}', reason: 'malformed_request' },
  { name: 'no method', text: '{"jsonrpc":"2.0","id":1}', reason: 'malformed_request' },
  {
    name: 'params that are an array',
    text: `{"jsonrpc":"2.0","id":1,${call},"params":[]}`,
    reason: 'malformed_request',
  },
  {
    name: 'an answer to nothing',
    text: '{"jsonrpc":"2.0","id":1,"result":{}}',
    reason: 'unknown_question',
    unanswered: true,
  },
  {
    name: 'a call without an id',
    text: `{"jsonrpc":"2.0",${call},"params":{"name":"x"}}`,
    reason: 'malformed_request',
    unanswered: true,
  },
  { name: 'an unknown method', text: '{"jsonrpc":"2.0","id":1,"method":"tools/nope"}', reason: 'method_unknown' },
  {
    name: 'a method of every object',
    text: '{"jsonrpc":"2.0","id":1,"method":"constructor"}',
    reason: 'method_unknown',
  },
  { name: 'a call of nothing', text: `{"jsonrpc":"2.0","id":1,${call},"params":{}}`, reason: 'malformed_params' },
  {
    name: 'a name that is a number',
    text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":1}}`,
    reason: 'malformed_params',
  },
  {
    name: 'a cursor that is a number',
    text: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}',
    reason: 'malformed_params',
  },
  {
    name: 'a cursor nobody gave out',
    text: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"1; drop table"}}',
    reason: 'malformed_params',
  },
  {
    name: 'a modern message without capabilities',
    text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
    reason: 'malformed_params',
  },
  {
    name: 'a revision that is not there yet',
    text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}`,
    reason: 'version_unsupported',
  },
];

/** Messages that readers who fold case, or who keep the first of two members, would read as another call. */
export const smuggledMessages: readonly MessageAttack[] = [
  { name: 'params twice', text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"a"},"params":{"name":"b"}}` },
  { name: 'method twice', text: `{"jsonrpc":"2.0","id":1,"method":"ping",${call},"params":{"name":"a"}}` },
  { name: 'a name twice', text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"a","name":"b"}}` },
  { name: 'Method beside method', text: `{"jsonrpc":"2.0","id":1,${call},"Method":"ping","params":{"name":"a"}}` },
  { name: 'Name beside name', text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"a","Name":"b"}}` },
  {
    name: 'ARGUMENTS beside arguments',
    text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"a","arguments":{},"ARGUMENTS":{}}}`,
  },
  { name: 'params with a long s', text: `{"jsonrpc":"2.0","id":1,${call},"params":{"name":"a"},"param\u017f":{}}` },
].map((attack) => ({ ...attack, reason: 'malformed_request' }));
