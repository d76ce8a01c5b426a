import type { AccessRequest, AddedContext } from '@sallyport/core';
import { expect, it } from 'vitest';
import { createEnrich } from './enrich.ts';

const request: AccessRequest = {
  subject: { subject: 'alice', client: 'c', kind: 'agent', scopes: [], attributes: {} },
  action: 'invoke',
  resource: {
    ...{ type: 'tool', id: 'a.B', service: 'a', definitionHash: 'h', sideEffect: 'write' },
    ...{ classification: 'internal', risk: 'low', internal: false, owner: 'o' },
  },
  context: { method: 'tools/call', timeMs: 1, transport: 'http', arguments: { n: 1 } },
};
const gives = (added: AddedContext | Promise<AddedContext>) => ({ contextOf: () => added });
const risk = { score: 7, factors: {} };

it('is nothing where nobody has anything to add', () => {
  expect(createEnrich([])).toBeUndefined();
});

it('adds what sources know: later ones count, facts are joined, and the call stays what it is', () => {
  const enrich = createEnrich([
    gives({ environment: 'staging', facts: { novel: true, seen: 1 } }),
    gives({ environment: 'production', risk, facts: { seen: 2 } }),
    gives({ arguments: { n: 2 }, timeMs: 5 } as AddedContext),
  ]);
  expect(enrich?.(request)).toEqual({
    ...request,
    context: { ...request.context, environment: 'production', risk, facts: { novel: true, seen: 2 } },
  });
});

it('waits for those that have to ask somebody, and passes on what they throw', async () => {
  const added = createEnrich([gives({ environment: 'x' }), gives(Promise.resolve({ risk }))])?.(request);
  expect(added).toBeInstanceOf(Promise);
  expect(await added).toMatchObject({ context: { environment: 'x', risk } });
  await expect(createEnrich([gives(Promise.reject(new Error('gone')))])?.(request)).rejects.toThrow('gone');
});
