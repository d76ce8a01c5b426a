import { expect, it } from 'vitest';
import { readJsonRpc } from './json-rpc.ts';
import { parseStrict } from './strict-json.ts';

function kindOf(text: string): string {
  const message = readJsonRpc(parseStrict(text));
  return message.kind === 'invalid' ? `invalid: ${message.issue}` : message.kind;
}

it.each([
  ['{"jsonrpc":"2.0","id":1,"method":"a"}', 'request'],
  ['{"jsonrpc":"2.0","id":"x","method":"a","params":{}}', 'request'],
  ['{"jsonrpc":"2.0","method":"a"}', 'notification'],
  ['{"jsonrpc":"2.0","id":1,"result":{}}', 'response'],
  ['{"jsonrpc":"2.0","id":1,"error":{}}', 'response'],
  ['{"jsonrpc":"2.0","id":null,"method":"a"}', 'invalid: /id: must be a string or an integer'],
  ['{"jsonrpc":"2.0","id":1.5,"method":"a"}', 'invalid: /id: must be a string or an integer'],
  ['{"jsonrpc":"1.0","id":1,"method":"a"}', 'invalid: /jsonrpc: must be "2.0"'],
  ['{"jsonrpc":"2.0","id":1,"method":["a"]}', 'invalid: /method: must be a string'],
  ['{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', 'invalid: /params: must be an object'],
  ['[{"jsonrpc":"2.0","id":1,"method":"a"}]', 'invalid: batches are not supported: send one message at a time'],
  ['7', 'invalid: a message is an object'],
])('reads %s as %s', (text, kind) => {
  expect(kindOf(text)).toBe(kind);
});

it('keeps the id as it was written', () => {
  expect(readJsonRpc(parseStrict('{"jsonrpc":"2.0","id":"\\u0061","method":"a"}'))).toMatchObject({
    idText: '"\\u0061"',
  });
});
