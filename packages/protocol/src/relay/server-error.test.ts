import { describe, expect, it } from 'vitest';
import { callerErrorCode, legacyQuestion, serverFault, urlElicitationData, urlQuestions } from './server-error.ts';

describe('errors of a server', () => {
  it.each([
    [-32002, 'resource_unknown'],
    [-32042, 'url_elicitation'],
    [-32020, 'hop_headers'],
    [-32021, 'hop_capability'],
    [-32022, 'hop_version'],
    [-32602, 'params'],
    [-32050, 'application'],
    [403, 'application'],
  ])('with code %i mean %s', (code, word) => {
    expect(serverFault(code)).toBe(word);
  });

  it.each([
    [-32002, -32602, -32002],
    [-32042, -32603, -32042],
    [-32020, -32603, -32603],
    [-32021, -32603, -32603],
    [-32022, -32603, -32603],
    [-32099, -32603, -32603],
    [-32001, -32001, -32001],
    [-32602, -32602, -32602],
    [7, 7, 7],
  ])('with code %i reach a modern caller as %i and an old one as %i', (code, modern, legacy) => {
    expect([callerErrorCode('modern', code), callerErrorCode('legacy', code)]).toEqual([modern, legacy]);
  });
});

describe('addresses that somebody has to visit', () => {
  const elicitation = '{"mode":"url","elicitationId":"e1","url":"https://a.example/x","message":"Log in","v":1.0}';
  const data = `{"elicitations":[${elicitation}]}`;
  const result = `{"resultType":"input_required","inputRequests":{"e1":{"method":"elicitation/create","params":${elicitation}}}}`;

  it('become a question to a modern client, and back', () => {
    expect(urlQuestions(data)).toBe(result);
    expect(urlElicitationData(result)).toBe(data);
  });

  it.each([
    '{}',
    '[]',
    'null',
    '{"elicitations":[]}',
    '{"elicitations":{"url":"x"}}',
    '{"elicitations":[1,{"url":7}]}',
  ])('are not there in %s', (text) => {
    expect(urlQuestions(text)).toBeUndefined();
  });

  it('need a name each', () => {
    expect(JSON.parse(urlQuestions('{"elicitations":[{"url":"a"},{"url":"b"}]}') ?? '')).toMatchObject({
      inputRequests: { 'url-1': { params: { url: 'a', mode: 'url' } }, 'url-2': { params: { url: 'b' } } },
    });
  });

  it.each([
    '{"inputRequests":{}}',
    '{"inputRequests":{"a":{"method":"roots/list"}}}',
    '{"inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"form"}}}}',
    result.replace('{', '{"requestState":"s",'),
  ])('are not all that is asked in %s', (text) => {
    expect(urlElicitationData(text)).toBeUndefined();
  });

  it('get an id for old clients', () => {
    expect(legacyQuestion('elicitation/create', '{"mode":"url","url":"x"}', 'q1')).toBe(
      '{"elicitationId":"q1","mode":"url","url":"x"}',
    );
    expect(legacyQuestion('elicitation/create', elicitation, 'q1')).toBe(elicitation);
    expect(legacyQuestion('elicitation/create', '{"message":"url"}', 'q1')).toBe('{"message":"url"}');
    expect(legacyQuestion('sampling/createMessage', '{"mode":"url"}', 'q1')).toBe('{"mode":"url"}');
  });
});
