import { createPipeline, type JsonText, type Stages } from '@sallyport/core';
import { fakeCall, fakeStages, fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createSchemas } from '../validation/schemas.ts';
import { createFilter } from './stage.ts';

const outputSchema = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };

async function answerWith(text: string, isError = false) {
  const { stages } = fakeStages({}, [fakeTool({ outputSchema })]);
  const dispatch: Stages['dispatch'] = async (permit, hop) => ({
    ...(await stages.dispatch(permit, hop)),
    text: text as JsonText,
    isError,
  });
  const filter = createFilter(createSchemas().check, []);
  return createPipeline({ ...stages, dispatch, filter }).invoke(fakeCall());
}

describe('what a service answers', () => {
  it('passes when it is what the output schema promised, untouched', async () => {
    const text = '{"content":[],"structuredContent":{"id":"a","vendor":1},"x":1}';
    expect(await answerWith(text)).toMatchObject({ kind: 'answered', content: { text } });
  });

  it.each([['{"content":[],"structuredContent":{"id":1}}'], ['{"content":[]}'], ['not json'], ['null']])(
    'is refused as invalid_output, without repeating it, when it is %s',
    async (text) => {
      const outcome = await answerWith(text);
      expect(outcome).toMatchObject({
        kind: 'refused',
        error: { reason: 'invalid_output', stage: 'filter', details: {} },
      });
    },
  );

  it('may be an error of the tool without any structure', async () => {
    expect(await answerWith('{"content":[],"isError":true}', true)).toMatchObject({ kind: 'answered' });
  });
});
