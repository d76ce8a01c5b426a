import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blogServices, type CallRecord, startRun, type TestGateway, trialService } from './support/gateway.ts';
import { endAll } from './support/program.ts';
import { type Way, ways } from './support/ways.ts';

/** One call, how it has to end for its caller, and what the log has to say of it. */
interface Case {
  readonly name: string;
  readonly act: (way: Way) => Promise<{ readonly kind: string; readonly reason?: string; readonly code?: string }>;
  readonly ends: { readonly kind: string; readonly reason?: string; readonly code?: string };
  readonly records: Partial<CallRecord>;
}

const answered = { kind: 'answered' };
const refused = (reason: string) => ({ kind: 'refused', reason });
const noted = (reason: string) => ({ outcome: 'refused', reason }) as Partial<CallRecord>;
const big = 'x'.repeat(80_000);

const cases: readonly Case[] = [
  {
    name: 'an allowed call',
    act: (way) => way.call('users.UserService.Get', { id: 'ada' }),
    ends: answered,
    records: { outcome: 'answered', tool: 'users.UserService.Get' },
  },
  {
    name: 'a call that a service makes calls for',
    act: (way) => way.call('posts.PostService.Create', { author: 'ada', title: 'A title', body: 'A body.' }),
    ends: answered,
    records: { outcome: 'answered', tool: 'posts.PostService.Create' },
  },
  {
    name: 'a call without the scope for it',
    act: (way) => way.call('posts.PostService.Delete', { id: 'p-notes' }),
    ends: refused('insufficient_scope'),
    records: { ...noted('insufficient_scope'), stage: 'entitle' },
  },
  {
    name: 'a tool that is not there',
    act: (way) => way.call('posts.PostService.Archive', { id: 'p-notes' }),
    ends: refused('unknown_tool'),
    records: noted('unknown_tool'),
  },
  {
    name: 'a tool for services only',
    act: (way) => way.call('trials.Trial.Internal', {}),
    ends: refused('unknown_tool'),
    records: noted('unknown_tool'),
  },
  {
    name: 'arguments that do not fit',
    act: (way) => way.call('posts.PostService.Create', { author: 'ada', title: '', body: 'A body.' }),
    ends: refused('invalid_input'),
    records: noted('invalid_input'),
  },
  {
    name: 'a message that is not right',
    act: (way) => way.malformed(),
    ends: refused('malformed_params'),
    records: noted('malformed_params'),
  },
  {
    name: 'too much at once',
    act: (way) => way.call('trials.Trial.Echo', { text: big }),
    ends: refused('payload_too_large'),
    records: noted('payload_too_large'),
  },
  {
    name: 'too many calls',
    act: async (way) => {
      for (let i = 0; i < 2; i++) await way.call('trials.Trial.Limited');
      return way.call('trials.Trial.Limited');
    },
    ends: refused('rate_limited'),
    records: noted('rate_limited'),
  },
  {
    name: 'a tool that is never done',
    act: (way) => way.call('trials.Trial.Slow'),
    ends: refused('upstream_timeout'),
    records: noted('upstream_timeout'),
  },
  {
    name: 'a tool that breaks',
    act: (way) => way.call('trials.Trial.Throw'),
    ends: refused('upstream_failed'),
    records: noted('upstream_failed'),
  },
  {
    name: 'a tool that says no',
    act: (way) => way.call('trials.Trial.Fail'),
    ends: { kind: 'tool_error', code: 'not_found' },
    records: { outcome: 'answered', toolError: true },
  },
  {
    name: 'a service that ends in the middle of a call',
    act: (way) => way.call('doomed.Trial.Crash'),
    ends: refused('upstream_failed'),
    records: noted('upstream_failed'),
  },
];

const scopes = ['users:read', 'posts:read', 'posts:write', 'trials:use', 'doomed:use'];
const limited = "tools: { 'trials.Trial.Limited': { limit: { rate: 0.01, burst: 2 } } }";
const limits = 'limits: { maxRequestBytes: 65536 }';

let gateway: TestGateway;
beforeAll(async () => {
  // One instance of the doomed for each client that makes one end: nobody has to wait for a restart.
  const doomed = trialService('doomed', { instances: Object.keys(ways).length });
  const services = [blogServices, trialService('trials'), doomed].join('\n');
  gateway = await startRun(services, `${limited}\n${limits}`);
});
afterAll(endAll);

/** A record without what differs from call to call, from caller to caller and from transport to transport. */
function comparable(record: CallRecord): object {
  const { callId, traceId, spanId, timeMs, durationMs, origin, inputBytes, outputBytes, requestId, ...rest } = record;
  // Some answers hold the id of their call, so their hashes differ, too.
  const { subject, credentialId, argumentsHash, outputHash, client, instance, ...same } = rest;
  return { ...same, isKnown: subject !== undefined && credentialId !== undefined };
}

const first = new Map<string, object>();

describe.each(Object.keys(ways))('%s', (name) => {
  const account = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  let way: Way;
  beforeAll(async () => {
    way = await ways[name]!({ mcp: gateway.mcp, token: await gateway.mint(account, scopes) });
  });
  afterAll(() => way.close());

  it('lists what its token may call, sorted', async () => {
    const names = await way.list();
    expect(names).toContain('posts.PostService.Create');
    expect(names).not.toContain('posts.PostService.Delete');
    expect(names).not.toContain('trials.Trial.Internal');
    expect(names).toEqual([...names].sort());
  });

  it.each(cases)('gets the same answer as all others, and leaves the same record, for $name', async (one) => {
    const sinceMs = Date.now();
    const seen = await one.act(way);
    const last = async () =>
      (await gateway.records({ sinceMs: sinceMs - 1 }))
        .filter(({ subject, actor }) => actor === undefined && (subject === undefined || subject === account))
        .at(-1);
    expect(seen).toMatchObject(one.ends);
    const record = await last();
    expect(record).toMatchObject(one.records);
    const face = comparable(record!);
    first.set(one.name, first.get(one.name) ?? face);
    expect(face).toEqual(first.get(one.name));
  });
});

it('leaves a log that verifies', async () => {
  expect(await gateway.verify()).toMatchObject({ ok: true });
});
