import { type AuditRecord, createPipeline, type JsonText, type OutputFilter, type Stages } from '@sallyport/core';
import { fakeCall, fakeStages, fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createFilterNotification } from './stage.ts';

const secret = 'what nobody may hear';

/** A call whose service says something on the way, seen by a filter of an embedder's. */
async function call(notification: NonNullable<OutputFilter['notification']>) {
  const { stages } = fakeStages({}, [fakeTool()]);
  const filter: OutputFilter = { filter: async (_permit, answer) => answer, notification };
  const said: string[] = [];
  const records: AuditRecord[] = [];
  const dispatch: Stages['dispatch'] = (permit, hop) => {
    hop.onProgress?.({ progress: 1, message: secret });
    hop.onProgress?.({ progress: 2 });
    hop.onNotification?.('notifications/message', JSON.stringify({ data: secret }) as JsonText);
    return stages.dispatch(permit, hop);
  };
  const asked = fakeCall();
  const outcome = await createPipeline({
    ...stages,
    dispatch,
    filterNotification: createFilterNotification([filter]),
    record: async (record) => void records.push(record),
  }).invoke({
    ...asked,
    request: {
      ...asked.request,
      onProgress: (progress) => said.push(JSON.stringify(progress)),
      onNotification: ({ paramsText }) => said.push(paramsText),
    },
  });
  return { outcome, said, record: records.at(-1) };
}

describe('a filter that fails at what a service says while it works', () => {
  it.each<[string, NonNullable<OutputFilter['notification']>]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['forgets to return', () => undefined as never],
    ['returns a promise', (async (_target: unknown, text: JsonText) => ({ text })) as never],
  ])('and %s keeps that from the caller, and ends nothing', async (_name, notification) => {
    const { outcome, said, record } = await call(notification);
    expect(outcome.kind).toBe('answered');
    expect(said).toEqual(['{"progress":2}']);
    expect(record).toMatchObject({ outcome: 'answered', redacted: { 'filter-failed': 2 } });
  });

  it('and breaks the JSON of a message keeps it from the caller', async () => {
    const { outcome, said } = await call((_target, text) => ({ text: text.replace('"', '') as JsonText }));
    expect(outcome.kind).toBe('answered');
    expect(said.filter((text) => text.startsWith('{"progress":1'))).toEqual([]);
  });
});
