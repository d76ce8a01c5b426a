import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, someKeys } from './record.fuzz.ts';
import { createArgumentsHash, createSealer, dataKey, unseal } from './seal.ts';

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
  const { seal: key } = someKeys();
  const context = { callId: 'call', tenant: 'acme', timeMs: Date.UTC(2027, 0, 2) };

  it('opens for its key, call, tenant and day, and for no other', () => {
    const seal = createSealer(key);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unseal(key, seal(text, context), context)).toBe(text);
      }),
    );
    const sealed = seal('secret', context);
    const wrong = [{ callId: 'other' }, { tenant: 'other' }, { tenant: undefined }, { timeMs: context.timeMs - 1 }];
    for (const change of wrong) expect(() => unseal(key, sealed, { ...context, ...change })).toThrow();
    expect(() => unseal(someKeys().seal, sealed, context)).toThrow();
    expect(() => unseal(key, sealed.subarray(0, 20), context)).toThrow('unknown sealed format');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => unseal(key, changed, context)).toThrow();
    }
  });

  it('never looks the same twice', () => {
    const seal = createSealer(key);
    expect(seal('secret', context)).not.toEqual(seal('secret', context));
  });

  it('has a data key of its own for no tenant, and for each tenant and day', () => {
    const tenants = [undefined, '', 'null', 'acme'];
    const keys = tenants.flatMap((tenant) => [0, 86_400_000].map((day) => dataKey(key, tenant, day).toString('hex')));
    expect(new Set(keys).size).toBe(8);
  });
});
