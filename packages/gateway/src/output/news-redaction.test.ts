import type { JsonText } from '@sallyport/core';
import { fakeTool } from '@sallyport/testkit';
import { expect, it } from 'vitest';
import { createNewsRedaction } from './policy-redaction.ts';

it('news of a task of a tool that was never answered are without what policies may want taken from it', () => {
  const filter = createNewsRedaction((name) =>
    name === 'pay.Export' ? [{ kind: 'redact', policy: 'p', pointers: ['/structuredContent/iban'] }] : [],
  );
  const text =
    '{"taskId":"t","status":"completed","result":{"structuredContent":{"iban":"DE02","name":"x"}}}' as JsonText;
  const told = (name: string, news: JsonText) => filter.notification?.(fakeTool({ name }), news);
  expect(told('pay.Export', text)).toMatchObject({ text: text.replace('"DE02"', '"[redacted]"'), redacted: { p: 1 } });
  expect(told('pay.Other', text)).toEqual({ text });
  const working = '{"taskId":"t","status":"working"}' as JsonText;
  expect(told('pay.Export', working)).toEqual({ text: working });
});
