import { describe, expect, it } from 'vitest';
import { undeclared } from './questions.ts';

const asking = (...requests: object[]) =>
  JSON.stringify({ inputRequests: Object.fromEntries(requests.map((request, i) => [`q${i}`, request])) });
const form = { method: 'elicitation/create', params: { message: 'x', requestedSchema: { type: 'object' } } };
const url = { method: 'elicitation/create', params: { mode: 'url', message: 'x', url: 'https://example.com' } };
const sampling = { method: 'sampling/createMessage', params: {} };
const roots = { method: 'roots/list' };

describe('what a client did not say it can be asked', () => {
  it.each([
    [[form], {}, { elicitation: { form: {} } }],
    [[form], { elicitation: {} }, undefined],
    [[form], { elicitation: { form: {} } }, undefined],
    [[form], { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    [[url], { elicitation: {} }, { elicitation: { url: {} } }],
    [[url], { elicitation: { url: {} } }, undefined],
    [[sampling], { elicitation: {} }, { sampling: {} }],
    [[sampling, roots], { sampling: {} }, { roots: {} }],
    [[{ method: 'made/up' }], { sampling: {}, roots: {}, elicitation: {} }, { experimental: { 'made/up': {} } }],
    [[], {}, undefined],
  ])('%j of one who declared %j', (requests, declared, missing) => {
    expect(undeclared(asking(...requests), JSON.stringify(declared))).toEqual(missing);
  });
});
