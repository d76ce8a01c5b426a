import { describe, expect, it } from 'vitest';
import { createSchemas } from './schemas.ts';

const { check } = createSchemas();

describe('schemas of foreign origin', () => {
  it('name the place and the fault, never the value', () => {
    const schema = {
      type: 'object',
      properties: { title: { type: 'string', minLength: 1 }, kind: { enum: ['a', 'b'] } },
      required: ['title'],
      additionalProperties: false,
    };
    expect(check(schema)({ title: 'x' })).toEqual([]);
    expect(check(schema)({})).toEqual(["/: must have required property 'title'"]);
    expect(check(schema)({ title: 's3cret-value', kind: 's3cret-value' }).join()).not.toContain('s3cret');
    expect(check(schema)({ title: 'x', colour: 1 })).toEqual(['/: unknown property "colour"']);
  });

  it('run patterns in linear time, so that a hostile pattern cannot stop the gateway', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
    expect(check(schema)({ a: `${'a'.repeat(5_000)}!` })).toHaveLength(1);
  });

  it('keep their patterns apart', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', pattern: '^x+$' }, b: { type: 'string', pattern: '^y+$' } },
    };
    expect(check(schema)({ a: 'xx', b: 'yy' })).toEqual([]);
    expect(check(schema)({ a: 'xx', b: 'xx' })).toHaveLength(1);
  });

  it('are refused when they refer to other documents, are too deep or too large', () => {
    expect(() => check({ $ref: 'http://127.0.0.1:9/schema.json' })).toThrow('may only point into the same schema');
    let deep: Record<string, unknown> = {};
    for (let i = 0; i < 100; i++) deep = { not: deep };
    expect(() => check(deep as never)).toThrow('nested deeper');
    expect(() => check({ description: 'x'.repeat(300_000) })).toThrow('longer than');
  });

  it('do not take inherited properties for given ones', () => {
    expect(check({ type: 'object', required: ['toString'] })({})).toHaveLength(1);
  });

  it('validate arrays, nested objects, formats and references of 2020-12', () => {
    const schema = {
      type: 'object',
      $defs: { tag: { type: 'string', format: 'date' } },
      properties: { days: { type: 'array', items: { $ref: '#/$defs/tag' }, prefixItems: [{ const: 'first' }] } },
    };
    expect(check(schema)({ days: ['first', '2026-11-21'] })).toEqual([]);
    expect(check(schema)({ days: ['first', 'yesterday'] })).toEqual(['/days/1: must match format "date"']);
  });

  it('cannot be made to take for ever by recursion that doubles with each level', () => {
    const twice = { properties: { a: { $ref: '#' } } };
    const schema = { allOf: [twice, { ...twice }] };
    let deep: Record<string, unknown> = {};
    for (let i = 0; i < 60; i++) deep = { a: deep };
    expect(check(schema)(deep as never)).toEqual(['/: takes too much work to check']);
    expect(check(schema)({ a: { a: { a: {} } } })).toEqual([]);
  });

  it('cannot be made to compare each item with each other one', () => {
    const schema = { type: 'array', uniqueItems: true };
    const items = Array.from({ length: 50_000 }, (_, index) => ({ index, more: [index] }));
    expect(check(schema)(items)).toEqual([]);
    expect(check(schema)([...items, { more: [7], index: 7 }])).toEqual(['/: must NOT have duplicate items']);
    expect(check(schema)([1, 1.0])).toHaveLength(1);
    expect(check(schema)(['1', 1, true, null, [1], { 0: 1 }])).toEqual([]);
  });

  it('mean what they meant in draft-07 when they say that they are of it', () => {
    const schema = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      definitions: { id: { type: 'string' } },
      type: 'object',
      properties: { pair: { type: 'array', items: [{ type: 'number' }, { $ref: '#/definitions/id' }] } },
    };
    expect(check(schema)({ pair: [1, 'x'] })).toEqual([]);
    expect(check(schema)({ pair: [1, 2] })).toEqual(['/pair/1: must be string']);
  });

  it('are not tried again when they could not be compiled', () => {
    const schema = { type: 'object', properties: { a: { pattern: '(?=x)y' } } };
    const faults = [0, 1].map(() => {
      try {
        return check(schema);
      } catch (fault) {
        return fault;
      }
    });
    expect(faults[0]).toBeInstanceOf(Error);
    expect(faults[1]).toBe(faults[0]);
  });

  it('do not answer later: what asks for that is refused', () => {
    expect(() => check({ $async: true, type: 'object' })).toThrow('$async');
  });
});
