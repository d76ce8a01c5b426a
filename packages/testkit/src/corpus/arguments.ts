import type { ArgumentsAttack } from './attack.ts';

const deep = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels);

/** Texts that are not JSON. Every reader of them would have to guess. */
export const malformedArguments: readonly ArgumentsAttack[] = [
  { name: 'an object that does not end', argumentsText: '{"a":1' },
  { name: 'a trailing comma', argumentsText: '{"a":1,}' },
  { name: 'single quotes', argumentsText: "{'a':1}" },
  { name: 'a bare word for a key', argumentsText: '{a:1}' },
  { name: 'a comment', argumentsText: '{"a":1/* hi */}' },
  { name: 'NaN', argumentsText: '{"a":NaN}' },
  { name: 'Infinity', argumentsText: '{"a":Infinity}' },
  { name: 'a leading zero', argumentsText: '{"a":01}' },
  { name: 'a plus sign', argumentsText: '{"a":+1}' },
  { name: 'a hexadecimal number', argumentsText: '{"a":0x10}' },
  { name: 'a control character in a string', argumentsText: '{"a":"\u0001"}' },
  { name: 'a raw tab in a string', argumentsText: '{"a":"\t"}' },
  { name: 'an unknown escape', argumentsText: '{"a":"\\x41"}' },
  { name: 'two values', argumentsText: '{} {}' },
  { name: 'a closing brace too many', argumentsText: '{}}' },
  { name: 'a byte order mark', argumentsText: '\ufeff{}' },
  { name: 'a no-break space', argumentsText: '{\u00a0}' },
  { name: 'undefined', argumentsText: 'undefined' },
].map((attack) => ({ ...attack, reason: 'malformed_json' }));

/** JSON that two readers may understand in two ways: what policy judged would not be what the service gets. */
export const smuggledArguments: readonly ArgumentsAttack[] = [
  { name: 'a member twice', argumentsText: '{"amount":1,"amount":1000}' },
  { name: 'a member twice, once escaped', argumentsText: '{"amount":1,"\\u0061mount":1000}' },
  { name: 'a member twice, deep inside', argumentsText: '{"a":[{"b":{"c":1,"c":2}}]}' },
  { name: '__proto__', argumentsText: '{"__proto__":{"admin":true}}' },
  { name: '__proto__ with an escape', argumentsText: '{"\\u005f_proto__":{"admin":true}}' },
  { name: '__proto__ inside', argumentsText: '{"a":{"__proto__":1}}' },
  { name: 'an integer beyond 2^53', argumentsText: '{"amount":9007199254740993}' },
  { name: 'a number that becomes infinite', argumentsText: '{"amount":1e400}' },
  { name: 'a number that becomes zero', argumentsText: '{"amount":1e-400}' },
  { name: 'more digits than a double has', argumentsText: '{"amount":0.12345678901234567890123}' },
  { name: 'half a surrogate pair, escaped', argumentsText: '{"a":"\\ud800"}' },
  { name: 'the other half, escaped', argumentsText: '{"a":"\\udc00x"}' },
  { name: 'arrays nested too deeply', argumentsText: `{"a":${deep('[', ']', 80)}}` },
  { name: 'objects nested too deeply', argumentsText: `{"a":${'{"a":'.repeat(80)}1${'}'.repeat(80)}}` },
  { name: 'ten thousand open brackets', argumentsText: `{"a":${deep('[', ']', 10_000)}}` },
].map((attack) => ({ ...attack, reason: 'malformed_request' }));

/** JSON that is no object: no tool takes it. */
export const wrongArguments: readonly ArgumentsAttack[] = [
  { name: 'an array', argumentsText: '[]' },
  { name: 'a text', argumentsText: '"{}"' },
  { name: 'a number', argumentsText: '1' },
  { name: 'true', argumentsText: 'true' },
  { name: 'null', argumentsText: 'null' },
].map((attack) => ({ ...attack, reason: 'malformed_params' }));

/** Arguments of at least so many bytes. */
export function oversizeArguments(bytes: number): ArgumentsAttack {
  return { name: 'too many bytes', argumentsText: `{"text":"${'x'.repeat(bytes)}"}`, reason: 'payload_too_large' };
}
