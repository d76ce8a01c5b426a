import { GatewayError, type JsonText } from '@sallyport/core';
import { expect, it, vi } from 'vitest';
import type { Question } from './conversation.ts';
import { createParking } from './parking.ts';

it('a call that waits for its caller ends when it is contained: the server is told, and nothing is there to come back to', async () => {
  const parking = createParking({ nowMs: Date.now });
  const contained = new AbortController();
  const ended = Promise.withResolvers<unknown>();
  const decline = vi.fn();
  const question: Question = {
    ...{ method: 'elicitation/create', paramsText: '{"message":"?"}' as JsonText },
    ...{ answer: () => undefined, decline },
  };
  const waiting = { signal: new AbortController().signal };
  const came = await parking.begin({
    ...{ owner: 'alice', waiting, mayAsk: () => true, contained: contained.signal },
    start({ onQuestion, signal }) {
      signal.addEventListener('abort', () => ended.resolve(signal.reason));
      onQuestion(question);
      return new Promise(() => undefined);
    },
  });
  if (came.kind !== 'asks') throw new Error('it was to ask');
  expect(parking.size).toBe(1);
  contained.abort(new GatewayError('contained'));
  expect(await ended.promise).toMatchObject({ reason: 'contained' });
  expect(decline).toHaveBeenCalledOnce();
  expect(parking.size).toBe(0);
  const { requestState } = JSON.parse(came.text) as { readonly requestState: string };
  const back = parking.resume({ state: requestState, responsesText: undefined, waiting, onStart: () => undefined });
  await expect(back).rejects.toMatchObject({ reason: 'parked_elsewhere' });
});
