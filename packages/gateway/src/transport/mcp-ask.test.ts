import { GatewayError } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import type { ClientQuestion, ClientReply } from './session.ts';
import { answer, createRelay, fakeSession, legacy, modern, type Said } from './testing/relay.ts';

const call = { name: 'docs.Search', arguments: { q: 1 } };
const everything = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

const questions = {
  name: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: { type: 'object' } } },
  page: { method: 'elicitation/create', params: { mode: 'url', message: 'Go.', url: 'https://x.example' } },
  folders: { method: 'roots/list', params: {} },
  thought: {
    method: 'sampling/createMessage',
    params: {
      messages: [{ role: 'user', content: { type: 'resource_link', uri: 'file:///a', name: 'a' } }],
      maxTokens: 1,
    },
  },
};

/** A service that asks all these in each of so many rounds. */
function asking(inputRequests: object, rounds = 1, states = true) {
  const relay = createRelay();
  let round = 0;
  relay.respond(() => {
    round += 1;
    if (round > rounds) return answer('{"content":[]}');
    const requestState = states ? { requestState: `s${round}` } : {};
    const text = JSON.stringify({ resultType: 'input_required', inputRequests, ...requestState });
    return answer(text, { resultType: 'input_required' });
  });
  return relay;
}

function answering(reply: (question: ClientQuestion) => ClientReply, capabilities: object = everything) {
  const asked: { method: string; params: unknown }[] = [];
  const said: Said = {
    session: fakeSession(capabilities),
    ask: async (question) => {
      asked.push({ method: question.method, params: JSON.parse(question.paramsText) });
      return reply(question);
    },
  };
  return { asked, said };
}

const accepted = (): ClientReply => ({ kind: 'result', resultText: '{"action":"accept", "n":1.0}' as never });

describe('the questions of a service', () => {
  it('are put to an old client, whose answers go with a fresh call', async () => {
    const relay = asking(questions);
    const { asked, said } = answering(accepted);
    const { body } = await relay.say(legacy('tools/call', call), said);
    expect(body.result.content).toEqual([]);
    expect(asked).toEqual([
      questions.name,
      {
        method: 'elicitation/create',
        params: { ...questions.page.params, elicitationId: expect.stringMatching(/^.+\/page$/) },
      },
      questions.folders,
      {
        method: 'sampling/createMessage',
        params: {
          ...questions.thought.params,
          messages: [
            { role: 'user', content: { ...questions.thought.params.messages[0]?.content, uri: 'docs+file:///a' } },
          ],
        },
      },
    ]);
    const [first, second] = relay.dispatched;
    expect(second?.hop.retry?.requestState).toBe('s1');
    const answered = Object.keys(questions).map((key) => `"${key}":{"action":"accept", "n":1.0}`);
    expect(second?.permit.retry?.inputResponsesText).toBe(`{${answered.join(',')}}`);
    expect(second?.permit.argumentsText).toBe('{"q":1}');
    expect(second?.permit.callId).not.toBe(first?.permit.callId);
    expect(second?.hop.trace.traceId).toBe(first?.hop.trace.traceId);
    expect(relay.records.map(({ callId }) => callId)).toEqual([first?.permit.callId, second?.permit.callId]);
    expect(body.result._meta['dev.sallyport/traceId']).toBe(first?.permit.callId);
  });

  it('may come in several rounds, but not without end', async () => {
    const several = asking(questions, 3);
    expect((await several.say(legacy('tools/call', call), answering(accepted).said)).body.result.content).toEqual([]);
    expect(several.dispatched).toHaveLength(4);
    const endless = asking(questions, 1_000);
    const { body } = await endless.say(legacy('tools/call', call), answering(accepted).said);
    expect(body.error.data.reason).toBe('upstream_failed');
  });

  it('may be none: then the service only wants to be called again', async () => {
    const relay = asking({});
    expect((await relay.say(legacy('tools/call', call))).body.result.content).toEqual([]);
    expect(relay.dispatched[1]?.permit.retry).toEqual({ requestState: expect.any(String) });
  });

  it('that fail come back as what the service can understand', async () => {
    const relay = asking(questions);
    const { said } = answering(() => ({ kind: 'error', code: -1, message: 'No.' }));
    await relay.say(legacy('tools/call', call), said);
    const error = { 'dev.sallyport/error': { code: -1, message: 'No.' } };
    expect(JSON.parse(relay.dispatched[1]?.permit.retry?.inputResponsesText ?? '')).toEqual({
      ...{ name: { action: 'cancel', ...error }, page: { action: 'cancel', ...error }, folders: error, thought: error },
    });
  });

  it('reach a new client as they are', async () => {
    const relay = asking({ name: questions.name });
    const capabilities = { elicitation: {} };
    const first = await relay.say(modern('tools/call', call, { capabilities }));
    expect(first.body.result).toMatchObject({ resultType: 'input_required', inputRequests: { name: questions.name } });
    const { requestState } = first.body.result;
    const retry = { ...call, requestState, inputResponses: { name: { action: 'decline' } } };
    const second = await relay.say(modern('tools/call', retry, { capabilities }));
    expect(second.body.result.resultType).toBe('complete');
    expect(relay.dispatched[1]?.hop.retry).toEqual({
      requestState: 's1',
      inputResponsesText: '{"name":{"action":"decline"}}',
    });
    const tampered = await relay.say(modern('tools/call', { ...retry, arguments: { q: 2 } }, { capabilities }));
    expect([tampered.status, tampered.body.error.code]).toEqual([200, -32602]);
  });

  it('are not put to whoever cannot be asked', async () => {
    for (const said of [
      {},
      { session: fakeSession(everything) },
      answering(accepted, { sampling: {} }).said,
      answering(accepted, { ...everything, elicitation: { form: {} } }).said,
    ]) {
      const { status, body } = await asking(questions).say(legacy('tools/call', call), said);
      expect([status, body.error.code, body.error.data.reason]).toEqual([200, -32602, 'client_cannot']);
      expect(body.error.data.requiredCapabilities).toHaveProperty('elicitation');
    }
    const { status, body } = await asking(questions).say(modern('tools/call', call));
    expect([status, body.error.code]).toEqual([400, -32021]);
  });

  it('end with the client that goes away, and its service is told', async () => {
    const relay = asking(questions);
    const gone = new AbortController();
    const { said } = answering(accepted);
    const ask: Said['ask'] = (_question, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        gone.abort(new GatewayError('cancelled'));
      });
    const { body } = await relay.say(legacy('tools/call', call), { ...said, ask, signal: gone.signal });
    expect(body.error.data.reason).toBe('cancelled');
    const { hop, permit } = relay.dispatched[1] ?? {};
    expect([hop?.signal.aborted, hop?.retry?.requestState, permit?.retry?.inputResponsesText]).toEqual([
      true,
      's1',
      undefined,
    ]);
  });
});
