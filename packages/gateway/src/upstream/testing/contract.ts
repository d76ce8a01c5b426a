import assert from 'node:assert/strict';
import { type Permit, spendPermit, type Tool, type Upstream } from '@sallyport/core';
import { type ContractCall, callUpstream, fateOf } from './contract-call.ts';

/**
 * An upstream under test with a service behind it. The service must offer these tools: `Contract.Echo` answers with one
 * text, which is JSON of its arguments; `Contract.Fail` answers with a tool error; `Contract.Hang` never answers;
 * `Contract.Large` answers with `{"size": n}` as a text of n letters; `Contract.Progress` tells of progress 1 and 2
 * before it answers like `Contract.Echo`.
 */
export interface UpstreamUnderTest {
  readonly upstream: Upstream;
  /** A tool of the service, as the catalog has it. */
  tool(remoteName: string): Tool;
  /** Argument texts of all calls that arrived, as they stood on the wire; `undefined` where there is no wire. */
  arrived(): readonly string[] | undefined;
  /** Ends the service without a goodbye; absent where it cannot die alone. */
  readonly kill?: () => void | Promise<void>;
  /** Whether the service was told that `Contract.Hang` is not waited for any more. */
  cancelled(): number;
  close(): Promise<void>;
}

/** One thing that every upstream must do. Fails by throwing, so that it runs under any test runner. */
export interface ContractCase {
  readonly name: string;
  run(start: () => Promise<UpstreamUnderTest>): Promise<void>;
}

type Check = (
  under: UpstreamUnderTest,
  call: (tool: string, more?: Partial<ContractCall>) => Promise<string>,
) => Promise<void>;

function rule(name: string, check: Check): ContractCase {
  return {
    name,
    async run(start) {
      const under = await start();
      try {
        await check(under, (tool, more = {}) =>
          fateOf(callUpstream(under.upstream, { tool: under.tool(tool), ...more })),
        );
      } finally {
        await under.close();
      }
    },
  };
}

/** What every upstream must do, whatever it speaks. */
export const upstreamContract: readonly ContractCase[] = [
  rule('spends the permit, once, and says so before the first byte leaves', async ({ upstream, tool, arrived }) => {
    const events: string[] = [];
    let permit: Permit | undefined;
    await callUpstream(upstream, {
      tool: tool('Contract.Echo'),
      onPermit: (granted) => {
        permit = granted;
      },
      onSent: () => events.push(`sent, arrived ${arrived()?.length ?? 0}`),
    });
    assert.deepEqual(events, ['sent, arrived 0']);
    assert.throws(() => permit && spendPermit(permit), /spent/);
  }),

  rule('sends nothing under a permit that is spent', async ({ upstream, tool, arrived }) => {
    const sent: string[] = [];
    const call = { tool: tool('Contract.Echo'), onPermit: spendPermit, onSent: () => void sent.push('sent') };
    assert.equal(await fateOf(callUpstream(upstream, call)), 'internal');
    assert.deepEqual(sent, []);
    assert.deepEqual(arrived() ?? [], []);
  }),

  rule('sends exactly the text of the permit as arguments', async ({ arrived }, call) => {
    const texts = ['{"n":1.0,"big":12345678901234567890}', '{ "a" : "\\u00e9é\\n", "a2":[1e3,-0] }', '{}'];
    for (const argumentsText of texts) await call('Contract.Echo', { argumentsText });
    assert.deepEqual(arrived() ?? texts, texts);
  }),

  rule('answers with the result and the instance that made it', async ({ upstream, tool }) => {
    const answer = await callUpstream(upstream, { tool: tool('Contract.Echo'), argumentsText: '{"a":1}' });
    assert.equal(textOf(answer.text), '{"a":1}');
    assert.equal(answer.isError, false);
    assert.notEqual(answer.instance, '');
  }),

  rule('answers when the tool fails: that is no error of the upstream', async ({ upstream, tool }) => {
    const answer = await callUpstream(upstream, { tool: tool('Contract.Fail') });
    assert.equal(answer.isError, true);
  }),

  rule('ends with upstream_timeout when the time is over, and tells the service', async ({ cancelled }, call) => {
    assert.equal(await call('Contract.Hang', { timeoutMs: 50 }), 'upstream_timeout');
    await eventually(() => cancelled() === 1);
  }),

  rule('ends when the caller goes away, and tells the service', async ({ cancelled, arrived }, call) => {
    const caller = new AbortController();
    const sent = Promise.withResolvers<void>();
    const fate = call('Contract.Hang', { signal: caller.signal, onSent: sent.resolve });
    await sent.promise;
    await eventually(() => arrived()?.length !== 0);
    caller.abort();
    assert.equal(await fate, 'cancelled');
    await eventually(() => cancelled() === 1);
  }),

  rule('sends nothing for a caller that is gone already', async ({ arrived }, call) => {
    const sent: string[] = [];
    const onSent = (): void => void sent.push('sent');
    assert.equal(await call('Contract.Echo', { signal: AbortSignal.abort(), onSent }), 'cancelled');
    assert.deepEqual(sent, []);
    assert.deepEqual(arrived() ?? [], []);
  }),

  rule('brings large arguments and large answers through whole', async (_under, call) => {
    const argumentsText = JSON.stringify({ text: 'é'.repeat(500_000) });
    assert.equal(textOf(await call('Contract.Echo', { argumentsText })), argumentsText);
    // A service may put its text in quotes.
    assert.match(textOf(await call('Contract.Large', { argumentsText: '{"size":3000000}' })), /^"?x{3000000}"?$/);
  }),

  rule('passes progress on to whoever asked for it', async (_under, call) => {
    const told: number[] = [];
    await call('Contract.Progress', { onProgress: ({ progress }) => told.push(progress) });
    assert.deepEqual(told, [1, 2]);
    await call('Contract.Progress');
  }),

  rule('keeps calls that run at the same time apart', async (_under, call) => {
    const texts = Array.from({ length: 50 }, (_, i) => `{"i":${i}}`);
    const answers = await Promise.all(texts.map((argumentsText) => call('Contract.Echo', { argumentsText })));
    assert.deepEqual(answers.map(textOf), texts);
  }),

  rule('fails the calls in flight when the service dies, and refuses those after it', async (under, call) => {
    if (under.kill === undefined) return;
    const sent = Promise.withResolvers<void>();
    const running = call('Contract.Hang', { onSent: sent.resolve });
    await sent.promise;
    await eventually(() => under.arrived()?.length !== 0);
    await under.kill();
    assert.equal(await running, 'upstream_failed');
    await eventually(async () => (await call('Contract.Echo')) === 'upstream_unavailable');
  }),

  rule('refuses calls once it is closed', async ({ upstream }, call) => {
    await upstream.close();
    assert.equal(await call('Contract.Echo'), 'upstream_unavailable');
  }),
];

/** The first text in a `CallToolResult`. */
function textOf(result: string): string {
  try {
    return (JSON.parse(result) as { content: [{ text: string }] }).content[0].text;
  } catch {
    return result;
  }
}

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isSo()) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
  assert.fail('it never came to be');
}
