import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from './record.fuzz.ts';
import { createArgumentsHash, createSealer, unseal } from './seal.ts';

describe('the hash of arguments', () => {
  it('is HMAC-SHA-256', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), anyText, (key, text) => {
        expect(createArgumentsHash(key)(text)).toBe(createHmac('sha256', key).update(text).digest('hex'));
      }),
    );
    expect(() => createArgumentsHash(new Uint8Array(65))).toThrow();
  });
});

describe('a sealed text', () => {
  const context = { callId: 'call', tenant: 'acme', timeMs: Date.UTC(2027, 0, 2) };
  const dataKey = { id: randomBytes(16), key: createSecretKey(randomBytes(32)) };
  const seal = createSealer(() => dataKey);
  const keyOf = () => dataKey.key;

  it('opens with its key and for its call, and with nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unseal(keyOf, seal(text, context), context)).toBe(text);
      }),
    );
    const sealed = seal('secret', context);
    expect(() => unseal(keyOf, sealed, { ...context, callId: 'other' })).toThrow();
    expect(() => unseal(() => createSecretKey(randomBytes(32)), sealed, context)).toThrow();
    expect(() => unseal(keyOf, sealed.subarray(0, 20), context)).toThrow('unknown sealed format');
    for (const at of [0, ...Array.from({ length: sealed.length - 17 }, (_, after) => 17 + after)]) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => unseal(keyOf, changed, context)).toThrow();
    }
  });

  it('names the key it needs, and whose that is', () => {
    const asked: unknown[] = [];
    const remember = (id: Uint8Array, owner: unknown) => {
      asked.push(Buffer.from(id), owner);
      return dataKey.key;
    };
    unseal(remember, seal('secret', context), context);
    expect(asked).toEqual([dataKey.id, context]);
  });

  it('never looks the same twice', () => {
    expect(seal('secret', context)).not.toEqual(seal('secret', context));
  });
});
