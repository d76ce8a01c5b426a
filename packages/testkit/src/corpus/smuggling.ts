import type { MessageAttack } from './attack.ts';

/**
 * A message that two readers may understand in two ways, beside one of the same meaning that nobody can misunderstand:
 * the second shows that nothing but the trick is refused.
 */
export interface SmuggledMessage extends MessageAttack {
  readonly plain: string;
}

/** Bytes of a body that are no message, beside the text that a careless reader makes of them. */
export interface SmuggledBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly reason: string;
}

const call = (params: string, more = ''): string =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call",${more}"params":${params}}`;

const plainCall = call('{"name":"a","arguments":{}}');

/** Tricks with the message itself. */
const messages: readonly SmuggledMessage[] = [
  {
    name: 'an answer that is a call as well',
    text: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"result":{}}',
    plain: plainCall,
  },
  {
    name: 'an error that is a call as well',
    text: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"error":{"code":1,"message":""}}',
    plain: plainCall,
  },
  { name: 'jsonrpc twice', text: call('{"name":"a"}', '"jsonrpc":"2.0",'), plain: plainCall },
  { name: 'an id twice, once escaped', text: call('{"name":"a"}', '"\\u0069d":2,'), plain: plainCall },
  { name: 'a method twice, once escaped', text: call('{"name":"a"}', '"metho\\u0064":"ping",'), plain: plainCall },
  { name: 'METHOD', text: call('{"name":"a"}', '"METHOD":"ping",'), plain: plainCall },
  { name: 'Params', text: call('{"name":"a"}', '"Params":{"name":"b"},'), plain: plainCall },
  {
    name: 'a method that goes on after a NUL',
    text: call('{"name":"a"}', '"method\\u0000":"ping",'),
    plain: plainCall,
  },
  { name: 'an id in the letters of another alphabet', text: call('{"name":"a"}', '"\\u0131d":2,'), plain: plainCall },
  { name: '__proto__', text: call('{"name":"a"}', '"__proto__":{"method":"ping"},'), plain: plainCall },
].map((each) => ({ ...each, reason: 'malformed_request' }));

/** Tricks with params: what is decided on must be what the service reads. */
const params: readonly SmuggledMessage[] = [
  { name: 'a name twice', text: '{"name":"a","name":"b"}' },
  { name: 'a name twice, once escaped', text: '{"name":"a","n\\u0061me":"b"}' },
  { name: 'Name', text: '{"name":"a","Name":"b"}' },
  { name: 'NAME alone', text: '{"NAME":"a"}' },
  { name: 'a name that goes on after a NUL', text: '{"name":"a","name\\u0000x":"b"}' },
  { name: 'Arguments', text: '{"name":"a","arguments":{},"Arguments":{"x":1}}' },
  { name: 'arguments with a long s', text: '{"name":"a","argument\u017f":{"x":1}}' },
  { name: 'a Kelvin sign', text: '{"name":"a","_meta":{"progressTo\u212aen":1}}' },
  { name: '_META', text: '{"name":"a","_META":{}}' },
  { name: 'RequestState', text: '{"name":"a","RequestState":"x"}' },
  { name: 'inputresponses', text: '{"name":"a","inputresponses":{}}' },
  { name: 'arguments twice', text: '{"name":"a","arguments":{},"arguments":{"x":1}}' },
  { name: 'an argument twice', text: '{"name":"a","arguments":{"x":1,"x":2}}' },
  { name: 'an argument twice, once escaped', text: '{"name":"a","arguments":{"x":1,"\\u0078":2}}' },
  { name: 'an argument twice in a list', text: '{"name":"a","arguments":{"x":[{"y":1,"y":2}]}}' },
  { name: 'an argument whose name has a NUL', text: '{"name":"a","arguments":{"x\\u0000y":1}}' },
  { name: '__proto__ in the arguments', text: '{"name":"a","arguments":{"__proto__":{"x":1}}}' },
  { name: 'an integer that loses its last digit', text: '{"name":"a","arguments":{"x":9007199254740993}}' },
  { name: 'an integer of a hundred digits', text: `{"name":"a","arguments":{"x":1${'0'.repeat(99)}1}}` },
  { name: 'a number that becomes infinite', text: '{"name":"a","arguments":{"x":-1e999}}' },
  { name: 'a number that becomes zero', text: '{"name":"a","arguments":{"x":1e-999}}' },
  { name: 'half a character', text: '{"name":"a","arguments":{"x":"\\ud83d"}}' },
  { name: 'half a character in a name', text: '{"name":"a","arguments":{"\\ude00":1}}' },
  { name: 'a hundred levels', text: `{"name":"a","arguments":{"x":${'['.repeat(100)}${']'.repeat(100)}}}` },
  {
    name: 'a reserved name in other case',
    text: '{"name":"a","_meta":{"IO.ModelContextProtocol/clientCapabilities":{"sampling":{}}}}',
  },
  {
    name: 'a name of ours in other case',
    text: '{"name":"a","_meta":{"dev.sallyport/TraceId":"x","Dev.sallyport/a":1}}',
  },
  { name: 'TraceParent', text: '{"name":"a","_meta":{"TraceParent":"00-1-1-00"}}' },
].map(({ name, text }) => ({ name, text: call(text), plain: plainCall, reason: 'malformed_request' }));

/** Tricks with what names something, where no letter is wrong but where it ends is in doubt. */
const names: readonly SmuggledMessage[] = [
  {
    name: 'a resource with a NUL',
    text: '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a\\u0000.txt"}}',
  },
  {
    name: 'a resource with a line end',
    text: '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a\\r\\nMcp-Name: b"}}',
  },
].map((each) => ({ ...each, plain: plainCall, reason: 'malformed_params' }));

/** JSON that is none, though some readers take it. */
const syntax: readonly SmuggledMessage[] = [
  { name: 'a byte order mark', text: `\ufeff${plainCall}` },
  { name: 'a NUL at the end', text: `${plainCall}\0` },
  { name: 'a second message', text: `${plainCall}${plainCall}` },
  { name: 'a comment', text: call('{"name":"a"/*,"arguments":{}*/}') },
  { name: 'a trailing comma', text: call('{"name":"a",}') },
  { name: 'a raw line end in a text', text: call('{"name":"a\nb"}') },
  { name: 'NaN', text: call('{"name":"a","arguments":{"x":NaN}}') },
  { name: 'an escape that is none', text: call('{"name":"a","arguments":{"x":"\\x41"}}') },
  { name: 'a name without quotes', text: call('{name:"a"}') },
].map((each) => ({ ...each, plain: plainCall, reason: 'malformed_json' }));

/** Messages that must be refused before anything is decided, because not everybody reads them the same. */
export const smuggledPairs: readonly SmuggledMessage[] = [...messages, ...params, ...names, ...syntax];

const ascii = (text: string): readonly number[] => [...text].map((char) => char.charCodeAt(0));
const before = ascii('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a');
const after = ascii('"}}');

/** Bodies that are no UTF-8, or not only. A reader that repairs them reads something else than was sent. */
export const smuggledBodies: readonly SmuggledBytes[] = [
  { name: 'a byte that is no character', bytes: [...before, 0xff, ...after] },
  { name: 'a character that does not end', bytes: [...before, 0xc3, ...after] },
  { name: 'a slash in two bytes', bytes: [...before, 0xc0, 0xaf, ...after] },
  { name: 'a quote in two bytes', bytes: [...before, 0xc0, 0xa2, ...after] },
  { name: 'half a surrogate pair in three bytes', bytes: [...before, 0xed, 0xa0, 0x80, ...after] },
  { name: 'a character beyond the last', bytes: [...before, 0xf4, 0x90, 0x80, 0x80, ...after] },
  { name: 'a character that never comes', bytes: [...before, ...after, 0xe2, 0x82] },
  { name: 'UTF-16', bytes: [...before, ...after].flatMap((byte) => [byte, 0]) },
  { name: 'a byte order mark in bytes', bytes: [0xef, 0xbb, 0xbf, ...before, ...after] },
].map(({ name, bytes }) => ({ name, bytes: Uint8Array.from(bytes), reason: 'malformed_json' }));
