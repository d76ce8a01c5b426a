import type { JsonText } from '@sallyport/core';
import { fakeCall, fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createSchemas } from './schemas.ts';
import { createValidate } from './stage.ts';

const validate = createValidate(createSchemas());
const inputSchema = {
  type: 'object',
  properties: { title: { type: 'string' }, loud: { type: 'boolean' } },
  required: ['title'],
};
const foreign = fakeTool({ inputSchema, entryText: '{}' as JsonText });
const own = fakeTool({ inputSchema });
const call = (argumentsText: string, method: 'tools/call' | 'tasks/get' = 'tools/call') =>
  fakeCall(
    { argumentsText: argumentsText as JsonText, method },
    { origin: { transport: 'rest', peer: 'x', era: 'none' } },
  );

describe('arguments', () => {
  it('are checked against the schema of their tool', () => {
    expect(validate(call('{"title":"a"}'), own)).toEqual({ text: '{"title":"a"}', value: { title: 'a' } });
    expect(() => validate(call('{"loud":1}'), own)).toThrow(expect.objectContaining({ reason: 'invalid_input' }));
  });

  it('may be null at a foreign server where it does not ask for them, and are sent on as they are', () => {
    expect(validate(call('{"title":"a","loud":null}'), foreign)).toEqual({
      text: '{"title":"a","loud":null}',
      value: { title: 'a', loud: null },
    });
    expect(() => validate(call('{"title":null}'), foreign)).toThrow();
    expect(() => validate(call('{"title":"a","loud":null}'), own)).toThrow();
  });

  it('of what is no call of a tool are the business of whoever gets them', () => {
    expect(validate(call('{"taskId":"x"}', 'tasks/get'), own)).toMatchObject({ value: { taskId: 'x' } });
  });

  it.each(['[]', 'null', '1', '{'])('%s are no arguments', (text) => {
    expect(() => validate(call(text), own)).toThrow(expect.objectContaining({ reason: 'invalid_input' }));
  });
});
