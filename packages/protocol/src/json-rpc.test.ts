import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonRpc, readMessage, readResult } from './json-rpc.ts';
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
  ['{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":""}}', 'response'],
  ['{"jsonrpc":"2.0","error":{"code":-1,"message":""}}', 'response'],
  ['{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":""}}', 'response'],
  ['{"jsonrpc":"2.0","id":1,"error":{}}', 'invalid: /error/code: must be an integer'],
  ['{"jsonrpc":"2.0","id":1,"error":null}', 'invalid: /error: must be an object'],
  ['{"jsonrpc":"2.0","id":1,"result":[]}', 'invalid: /result: must be an object'],
  ['{"jsonrpc":"2.0","result":{}}', 'invalid: /id: must be a string or an integer'],
  ['{"jsonrpc":"2.0","id":{},"error":{"code":1}}', 'invalid: /id: must be a string or an integer'],
  ['{"id":1,"result":{}}', 'invalid: /jsonrpc: must be "2.0"'],
  [
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
    'invalid: an answer is either a result or an error',
  ],
  ['{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', 'invalid: a message is either a request or an answer'],
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

describe('an answer of a client', () => {
  it('keeps its result, or the data of its error, as they were written', () => {
    expect(readJsonRpc(parseStrict('{"jsonrpc":"2.0","id":7, "result" : { "n": 1.0 } }'))).toEqual({
      kind: 'response',
      id: 7,
      idText: '7',
      resultText: '{ "n": 1.0 }',
    });
    const error = '{"code":-1,"message":"no","data": [1.0],"more":1}';
    expect(readJsonRpc(parseStrict(`{"jsonrpc":"2.0","id":"a","error":${error}}`))).toEqual({
      kind: 'response',
      id: 'a',
      idText: '"a"',
      error: { code: -1, message: 'no', dataText: '[1.0]' },
    });
  });
});

describe('a message of a server', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"result":{"a":1.0}}', { kind: 'response', id: 1, idText: '1', resultText: '{"a":1.0}' }],
    ['{"id":1,"result":{},"x":1}', { kind: 'response', id: 1, idText: '1', resultText: '{}' }],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":null}', { kind: 'response', id: 1, idText: '1', resultText: '{}' }],
    ['{"id":null,"result":null,"error":{"code":-32700}}', { kind: 'response', error: { code: -32700, message: '' } }],
    [
      '{"jsonrpc":"2.0","id":"q","method":"roots/list","x":1}',
      { kind: 'request', id: 'q', idText: '"q"', method: 'roots/list' },
    ],
    [
      '{"jsonrpc":"2.0","method":"n","params":{"a":\n1.0}}',
      {
        kind: 'notification',
        method: 'n',
        params: { a: 1 },
        paramsText: '{"a": 1.0}',
      },
    ],
  ])('may be %s', (text, message) => {
    expect(readMessage(text)).toEqual(message);
  });

  it.each([
    ['', 'a message is an object'],
    ['[]', 'a message is an object'],
    ['{}', 'a message is an object'],
    ['{"jsonrpc":"2.0","id":1,"result":{"a":', 'a message is an object'],
    ['{"jsonrpc":"2.0" "id":1,"result":{}}', 'a message is an object'],
    ['{"jsonrpc":"2.0","id":1,"result":{}', 'a message is an object'],
    ['{"jsonrpc":"2.0","id":1,"result":{}},', 'a message is an object'],
    ['{"jsonrpc":"2.0","id":1 2,"result":{}}', 'not valid JSON'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"\\u0069d":2}', 'a member is there twice'],
    ['{"jsonrpc":"2.0","id":1,"result":{}} {"id":2}', 'a message is an object'],
    ['{"jsonrpc":"2.0","method":"n","params":{"a":1,"a":2}}', '/a: a member that is there twice'],
    ['{"jsonrpc":"2.0","id":01,"result":{}}', 'not valid JSON'],
    ['{"jsonrpc":"2.0","id":1,"result":"{"}', '/result: must be an object'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","error":{"code":1}}', 'a message is either a request or an answer'],
    [`{"jsonrpc":"2.0","method":"n","params":{"a":${'['.repeat(600)}`, 'a message is an object'],
    [`{"jsonrpc":"2.0","method":"n","params":{"a":${'['.repeat(600)}${']'.repeat(600)}}}`, 'nested too deeply'],
  ])('cannot be %s', (text, issue) => {
    expect(readMessage(text)).toMatchObject({ kind: 'invalid', issue });
  });

  it('says the same as a whole parse, for every result', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(2), (result, indent) => {
        fc.pre(!Object.hasOwn(result, '__proto__'));
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result }, null, indent);
        const message = readMessage(text);
        if (message.kind !== 'response' || !('resultText' in message)) throw new Error('no result');
        const read = readResult(message.resultText);
        if (read.kind !== 'result') throw new Error(read.issue);
        expect(read.value).toEqual(JSON.parse(JSON.stringify(result)));
        expect(JSON.parse(read.text)).toEqual(read.value);
        expect(read.text).not.toMatch(/[\r\n]/);
      }),
    );
  });
});

describe('a result of a server', () => {
  it('is read once, and kept as it was written, on one line', () => {
    expect(readResult('{ "isError":true,\r\n"resultType":"task", "n":12345678901234567890 }')).toMatchObject({
      kind: 'result',
      text: '{ "isError":true,  "resultType":"task", "n":12345678901234567890 }',
      resultType: 'task',
      isError: true,
    });
  });

  it.each([
    ['{"a":1,"a":2}', '/result: /a: a member that is there twice'],
    ['{"a":{"b":[{"c":1,"\\u0063":2}]}}', '/result: /a/b/0/c: a member that is there twice'],
    ['{"a":1', '/result: not valid JSON'],
    ['{"a":1}]', '/result: not valid JSON'],
    ['[]', '/result: must be an object'],
    [`{"a":${'['.repeat(600)}${']'.repeat(600)}}`, '/result: nested too deeply'],
  ])('is refused when it reads differently elsewhere: %s', (text, issue) => {
    expect(readResult(text)).toEqual({ kind: 'invalid', issue });
  });
});
