import type { JsonText } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { createQuestions } from './session-questions.ts';

const question = { method: 'roots/list', paramsText: '{}' as JsonText };
const yes = { kind: 'result', resultText: '{"roots":[]}' as JsonText } as const;

function asking(limitMs?: number) {
  const questions = createQuestions(limitMs);
  const sent: any[] = [];
  const send = (message: string): void => void sent.push(JSON.parse(message));
  const over = new AbortController();
  const ask = () => questions.ask(question, { send, signal: over.signal });
  return { questions, sent, over, ask };
}

describe('questions to a client', () => {
  it('have ids of their own and are answered by them, in any order and once', async () => {
    const { questions, sent, ask } = asking();
    const answers = [ask(), ask()];
    const [one, two] = sent.map(({ id }) => id);
    expect(one).not.toBe(two);
    const no = { kind: 'error', code: -1, message: 'no' } as const;
    expect([questions.deliver(two, no), questions.deliver(one, yes), questions.deliver(one, no)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await Promise.all(answers)).toEqual([yes, no]);
  });

  it('are answered by nobody else: an id that was not given out, or of another type, is nothing', async () => {
    const { questions, sent, ask } = asking();
    void ask();
    expect([0, 1, '1', `${sent[0].id} `].map((id) => questions.deliver(id, yes))).toEqual([false, false, false, false]);
  });

  it('are withdrawn when the request they belong to is over', async () => {
    const { questions, sent, over, ask } = asking();
    const answer = ask();
    over.abort();
    await expect(answer).rejects.toMatchObject({ reason: 'cancelled' });
    expect(sent[1]).toMatchObject({ method: 'notifications/cancelled', params: { requestId: sent[0].id } });
    expect(questions.deliver(sent[0].id, yes)).toBe(false);
    await expect(ask()).rejects.toMatchObject({ reason: 'cancelled' });
  });

  it('are withdrawn when the session ends, and none follows', async () => {
    const { questions, ask } = asking();
    const answer = ask();
    questions.close();
    await expect(answer).rejects.toMatchObject({ reason: 'cancelled' });
    await expect(ask()).rejects.toMatchObject({ reason: 'cancelled' });
  });

  it('have a time limit, after which the client has answered with an error', async () => {
    const { sent, ask } = asking(1);
    expect(await ask()).toMatchObject({ kind: 'error', code: -32001 });
    expect(sent.at(-1)).toMatchObject({ method: 'notifications/cancelled' });
  });

  it('are few at a time', async () => {
    const { questions, sent, ask } = asking();
    const answers = Array.from({ length: 16 }, ask);
    await expect(ask()).rejects.toMatchObject({ reason: 'sessions_exhausted' });
    questions.deliver(sent[3].id, yes);
    expect(await answers[3]).toBe(yes);
    void ask().catch(() => undefined);
    expect(sent).toHaveLength(17);
    questions.close();
    await Promise.allSettled(answers);
  });
});
