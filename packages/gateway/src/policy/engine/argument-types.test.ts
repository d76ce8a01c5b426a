import type { JsonObject } from '@sallyport/protocol';
import { describe, expect, it } from 'vitest';
import type { ArgumentType } from '../types.ts';
import { typeOfSchema } from './argument-types.ts';

function recursive(members: number): JsonObject {
  const names = Array.from({ length: members }, (_, index) => `p${index}`);
  const properties = Object.fromEntries(names.map((name) => [name, { $ref: '#' }]));
  return { type: 'object', properties: { amount: { type: 'integer' }, ...properties } };
}

function sizeOf(type: ArgumentType): number {
  if (type.kind === 'set') return 1 + sizeOf(type.element);
  if (type.kind !== 'record') return 1;
  return Object.values(type.members).reduce((sum, member) => sum + sizeOf(member.type), 1);
}

describe('the types of a schema that a server of others wrote', () => {
  it.each([1, 3, 14, 40, 2_000])('are few where each of %d members is the whole schema again', (members) => {
    const type = typeOfSchema(recursive(members));
    expect(sizeOf(type)).toBeLessThan(20_000);
    expect(type).toMatchObject({ kind: 'record', members: { amount: { type: { kind: 'long' } } } });
  });

  it('are few where definitions refer to the next one twice and more', () => {
    const next = (level: number): JsonObject => ({ $ref: `#/$defs/d${level + 1}` });
    const levels = Array.from({ length: 20 }, (_, level): [string, JsonObject] => {
      const members = Array.from({ length: 30 }, (_, index) => [`m${index}`, next(level)]);
      return [`d${level}`, { type: 'object', properties: Object.fromEntries(members) }];
    });
    expect(sizeOf(typeOfSchema({ $ref: '#/$defs/d0', $defs: Object.fromEntries(levels) }))).toBeLessThan(20_000);
  });

  it('are not known where there are too many on the first level already', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`p${index}`, { type: 'string' }]),
    );
    expect(typeOfSchema({ type: 'object', properties })).toEqual({ kind: 'untyped' });
  });

  it.each(['#/%', '#/%E0%A4%A', '#/properties/%ZZ', '#x', '', 'https://schemas.example/a'])(
    'are not known behind the reference %j, and nothing is thrown',
    (reference) => {
      const type = typeOfSchema({ type: 'object', properties: { a: { $ref: reference }, b: { type: 'string' } } });
      expect(type).toMatchObject({ members: { a: { type: { kind: 'untyped' } }, b: { type: { kind: 'string' } } } });
    },
  );

  it('are known as deep as before where they are few', () => {
    const deep = Array.from({ length: 10 }).reduce<JsonObject>(
      (inner) => ({ type: 'object', properties: { in: inner } }),
      { type: 'boolean' },
    );
    expect(JSON.stringify(typeOfSchema(deep))).toContain('boolean');
  });
});
