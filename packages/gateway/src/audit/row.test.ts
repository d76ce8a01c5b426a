import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pack, plainText, readPlainText, unpack } from './entry.ts';
import { answered, anyRecord, anyText, stranger } from './record.fuzz.ts';
import { columnsOf, genesisHash, recordText, rowHash } from './row.ts';

const unhashed = () => '';

describe('a row', () => {
  it('has a hash over exactly the documented bytes', () => {
    const prevHash = genesisHash('log');
    const sealed = Buffer.from('sealed');
    const seq = Buffer.from([0, 0, 0, 0, 0, 1, 0, 2]);
    const sealedHash = createHash('sha256').update(sealed).digest();
    const bytes = [Buffer.from([0]), prevHash, seq, Buffer.from('{"a":"ü"}'), sealedHash];
    const expected = createHash('sha256').update(Buffer.concat(bytes)).digest();
    expect(rowHash({ prevHash, seq: 65538, record: '{"a":"ü"}', sealed })).toEqual(expected);
    bytes[4] = Buffer.alloc(32);
    const unsealed = createHash('sha256').update(Buffer.concat(bytes)).digest();
    expect(rowHash({ prevHash, seq: 65538, record: '{"a":"ü"}', sealed: null })).toEqual(unsealed);
  });

  it('has the same columns whether they are taken from the record or from its text', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const columns = columnsOf(record);
        expect(columnsOf(JSON.parse(recordText(record)))).toEqual(columns);
        for (const value of Object.values(columns)) {
          if (typeof value === 'string') expect(value.isWellFormed() && !value.includes('\0')).toBe(true);
        }
      }),
    );
  });

  it('has the same text for equal records, however their members are ordered', () => {
    const record = answered();
    const reversed = Object.fromEntries(Object.entries(record).reverse()) as unknown as typeof record;
    expect(recordText(reversed)).toBe(recordText(record));
  });

  it('has room for a bounded piece of what a stranger sent', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 300, maxLength: 5000 }), (long) => {
        const { origin, ...rest } = stranger();
        const record = { ...rest, tool: long, origin: { ...origin, host: long, browserOrigin: long, peer: long } };
        expect(recordText(record).length).toBeLessThan(8000);
      }),
    );
  });
});

describe('an entry', () => {
  it('brings the request and the arguments back as they were', () => {
    fc.assert(
      fc.property(anyRecord, anyText, (record, odd) => {
        const cells: (string | number | null)[] = [];
        pack(answered({ subject: odd }), cells, unhashed);
        pack(record, cells, unhashed);
        const entry = unpack(cells, cells.length / 2);
        const sealed = readPlainText(plainText(entry) ?? '{}');
        const context = { ...record.request!.context, arguments: JSON.parse(record.argumentsText!) };
        expect(sealed).toEqual({ request: { ...record.request, context }, argumentsText: record.argumentsText });
      }),
    );
  });

  it('has arguments without a request, a request without arguments, or neither', () => {
    const only = (changes: object) => {
      const cells: (string | number | null)[] = [];
      pack({ ...answered(), request: undefined, argumentsText: undefined, ...changes } as never, cells, unhashed);
      return plainText(unpack(cells, 0));
    };
    const { request, argumentsText } = answered();
    expect(only({})).toBeUndefined();
    expect(readPlainText(only({ argumentsText }) ?? '')).toEqual({ argumentsText });
    expect(readPlainText(only({ request }) ?? '')).toEqual({ request });
  });

  it('of a stranger has nothing to seal', () => {
    const cells: (string | number | null)[] = [];
    pack(stranger(), cells, unhashed);
    expect(plainText(unpack(cells, 0))).toBeUndefined();
  });
});
