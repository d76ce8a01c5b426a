import type { JsonText, Narrowing } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { narrowedTool } from './narrowed.ts';

function properties(declared: JsonObject, narrowing: Narrowing): unknown {
  const tool = fakeTool({ inputSchema: { type: 'object', properties: declared, required: ['a'] } });
  return narrowedTool(tool, narrowing).inputSchema.properties;
}

describe('a tool in the list of one caller', () => {
  it('has the bounds in its schema, and nothing else is another', () => {
    const inputSchema = { type: 'object', properties: { a: { type: 'integer', title: 'A' }, b: {} }, required: ['a'] };
    const tool = fakeTool({ inputSchema });
    const narrowed = narrowedTool(tool, { a: { maximum: 500 } });
    expect(narrowed).toEqual({
      ...tool,
      inputSchema: { ...inputSchema, properties: { a: { type: 'integer', title: 'A', maximum: 500 }, b: {} } },
    });
    expect(tool.inputSchema).toBe(inputSchema);
  });

  it('is the same object for the same bounds, so that its entry is made once', () => {
    const tool = fakeTool({ inputSchema: { type: 'object', properties: { a: { type: 'integer' } } } });
    expect(narrowedTool(tool, { a: { maximum: 5 } })).toBe(narrowedTool(tool, { a: { maximum: 5 } }));
    expect(narrowedTool(tool, { a: { maximum: 5 } })).not.toBe(narrowedTool(tool, { a: { maximum: 6 } }));
  });

  it.each<[string, JsonObject, Narrowing, JsonObject]>([
    ['a tighter bound stays', { a: { maximum: 5 } }, { a: { maximum: 500 } }, { a: { maximum: 5 } }],
    ['a wider one does not', { a: { minimum: 5 } }, { a: { minimum: 7 } }, { a: { minimum: 7 } }],
    ['of a list, what both have', { a: { enum: ['x', 'y', 3] } }, { a: { enum: ['z', 'y'] } }, { a: { enum: ['y'] } }],
    ['a list with nothing left stays', { a: { enum: ['x'] } }, { a: { enum: ['y'] } }, { a: { enum: ['x'] } }],
    ['a constant stays', { a: { const: 'x' } }, { a: { enum: ['y'] } }, { a: { const: 'x' } }],
    [
      'how older drafts say it stays',
      { a: { maximum: 5, exclusiveMaximum: true } },
      { a: { exclusiveMaximum: 4 } },
      { a: { maximum: 5, exclusiveMaximum: true } },
    ],
    ['what is not declared does not come to be', { b: {} }, { a: { maximum: 5 }, toString: { maximum: 5 } }, { b: {} }],
    ['what is no object stays', { a: true }, { a: { maximum: 5 } }, { a: true }],
  ])('keeps what its service declared: %s', (_, declared, narrowing, wanted) => {
    expect(properties(declared, narrowing)).toEqual(wanted);
  });

  it('keeps every byte of what a foreign server wrote, but for the bounds', () => {
    const before = '{ "name" :"Pay","x":1.0, "inputSchema": {"type":"object","properties":{"a":{},"amount":';
    const after = ',"z":1e2},"$schema":"x"} , "_meta":{"y":  [ ] } }';
    const entryText = `${before}{ "type":"number", "maximum": 1000.0 }${after}` as JsonText;
    const { inputSchema } = JSON.parse(entryText) as { inputSchema: JsonObject };
    const tool = fakeTool({ inputSchema, entryText });
    const bounds = { amount: { maximum: 500, exclusiveMinimum: 0 }, a: { enum: ['b"'] } };
    const narrowed = narrowedTool(tool, bounds);
    expect(narrowed.entryText).toBe(
      `${before.replace('{}', '{"enum":["b\\""]}')}{"exclusiveMinimum":0, "type":"number", "maximum": 500 }${after}`,
    );
    expect((JSON.parse(narrowed.entryText ?? '') as JsonObject).inputSchema).toEqual(narrowed.inputSchema);
  });
});
