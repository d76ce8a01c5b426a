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
    expect(() => check({ $ref: 'http://127.0.0.1:9/schema.json' })).toThrow('another document');
    let deep: Record<string, unknown> = {};
    for (let i = 0; i < 100; i++) deep = { not: deep };
    expect(() => check(deep as never)).toThrow('nested deeper');
    expect(() => check({ description: 'x'.repeat(300_000) })).toThrow('larger than');
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
});
