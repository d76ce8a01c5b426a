import { type AuditRecord, createPipeline, type JsonText, type Stages } from '@sallyport/core';
import { fakeCall, fakeStages, fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createSchemas } from '../validation/schemas.ts';
import { createRedaction, defaultRedaction, type RedactionSettings } from './redaction.ts';
import { createFilter, createFilterNotification } from './stage.ts';

const key = `ghp_${'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'}`;

/** A service that lets a key slip, in its answer and in everything it says on the way. */
async function leak({
  settings = defaultRedaction,
  mayReturn,
}: {
  settings?: RedactionSettings;
  mayReturn?: readonly string[];
} = {}) {
  const { stages } = fakeStages({}, [fakeTool({ ...(mayReturn && { mayReturn }) })]);
  const filters = [createRedaction(settings)];
  const said: string[] = [];
  const records: AuditRecord[] = [];
  const dispatch: Stages['dispatch'] = async (permit, hop) => {
    hop.onProgress?.({ progress: 1, message: `using ${key}` });
    hop.onNotification?.('notifications/message', JSON.stringify({ level: 'info', data: { key } }) as JsonText);
    return {
      ...(await stages.dispatch(permit, hop)),
      text: JSON.stringify({ content: [{ type: 'text', text: key }] }) as JsonText,
    };
  };
  const call = fakeCall();
  const outcome = await createPipeline({
    ...stages,
    dispatch,
    filter: createFilter(createSchemas().check, filters),
    filterNotification: createFilterNotification(filters),
    record: async (record) => void records.push(record),
  }).invoke({
    ...call,
    request: {
      ...call.request,
      onProgress: ({ message }) => said.push(String(message)),
      onNotification: ({ paramsText }) => said.push(paramsText),
    },
  });
  return { outcome, said, record: records.at(-1) };
}

describe('what a service lets slip', () => {
  it('does not get out, neither in the answer nor before it, and is counted in the record', async () => {
    const { outcome, said, record } = await leak();
    expect(JSON.stringify({ outcome, said })).not.toContain(key);
    expect(outcome).toMatchObject({
      content: { text: '{"content":[{"type":"text","text":"[redacted:github-token]"}]}' },
    });
    expect(said).toEqual([
      'using [redacted:github-token]',
      '{"level":"info","data":{"key":"[redacted:github-token]"}}',
    ]);
    expect(record).toMatchObject({ redacted: { 'github-token': 3 } });
    expect(JSON.stringify(record)).not.toContain(key);
  });

  it('gets out where the operator says that it is what the tool is for', async () => {
    const { outcome, said, record } = await leak({ mayReturn: ['github-token'] });
    expect(outcome).toMatchObject({ content: { text: expect.stringContaining(key) } });
    expect(said.join()).toContain(key);
    expect(record).not.toHaveProperty('redacted');
  });

  it('is only looked for as configured', async () => {
    const { outcome } = await leak({ settings: { groups: ['emails'], rules: [] } });
    expect(outcome).toMatchObject({ content: { text: expect.stringContaining(key) } });
  });
});
