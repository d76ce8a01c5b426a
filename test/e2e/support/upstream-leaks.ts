import type { JsonObject } from '@sallyport/protocol';
import { pause, until } from './program.ts';
import type { CallerTarget } from './upstream-callers.ts';
import { type Diagnosis, diagnose } from './upstream-diagnosis.ts';
import { countNoted, readLedger } from './upstream-ledger.ts';
import { askModern, modernRequest } from './upstream-raw.ts';
import { type FaultWorld, startFaultWorld } from './upstream-world.ts';

/** Something that comes and goes, many times. */
export interface Going {
  readonly what: string;
  /** Does it so often, and resolves when it is over as seen from here. */
  run(world: FaultWorld, times: number): Promise<void>;
}

/** What there is at one time. */
export interface Look extends Diagnosis {
  /** Conversations that the server has with the gateway. */
  readonly conversations: number;
}

/** What stayed of it. */
export interface LeakReport {
  readonly what: string;
  /** In each round. */
  readonly times: number;
  /** After the first round, and after each of the others. */
  readonly before: Look;
  readonly after: readonly Look[];
  /** Warnings of Node that something has too many listeners. */
  readonly complaints: number;
  /** Nothing of it stayed. */
  readonly isGood: boolean;
}

/** So many at a time. */
const atOnce = 20;

async function many(times: number, run: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < times) {
      next += 1;
      await run(next);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, times) }, work));
}

const targetOf = ({ mount, token }: FaultWorld): CallerTarget => ({ url: mount, token });
const once = (world: FaultWorld, kind: string): number => countNoted(world.upstream.ledger, kind).size;
const lines = (world: FaultWorld, word: string): number =>
  readLedger(world.upstream.ledger).filter((line) => line.startsWith(`${word} `)).length;

/** A client of the legacy era that can call `echo` and say goodbye. */
interface Visitor {
  call(): Promise<void>;
  leave(): Promise<void>;
}

async function introduce({ url, token }: CallerTarget): Promise<Visitor> {
  const headers: Record<string, string> = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    // What stays open is the gateway's doing.
    Connection: 'close',
  };
  const post = async (message: object): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const response = await fetch(url, { method: 'POST', headers, body });
    await response.text();
    return response;
  };
  const clientInfo = { name: 'visitor', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const introduced = await post({ id: 1, method: 'initialize', params });
  headers['Mcp-Session-Id'] = introduced.headers.get('mcp-session-id') ?? '';
  headers['MCP-Protocol-Version'] = '2025-11-25';
  await post({ method: 'notifications/initialized' });
  return {
    async call() {
      const echo = { name: 'echo', arguments: { nonce: crypto.randomUUID() } };
      const { status } = await post({ id: 2, method: 'tools/call', params: echo });
      if (status !== 200) throw new Error(`the call of a visitor was answered with ${status}`);
    },
    async leave() {
      await (await fetch(url, { method: 'DELETE', headers })).text();
    },
  };
}

/** Introduces itself, calls once, and says goodbye or does not. */
async function visit(target: CallerTarget, isPolite: boolean): Promise<void> {
  const visitor = await introduce(target);
  await visitor.call();
  if (isPolite) await visitor.leave();
}

/** Opens a subscription, waits until it is there, and drops it. */
async function listenOnce(target: CallerTarget, notifications: JsonObject): Promise<void> {
  const request = modernRequest(target, 'subscriptions/listen', { notifications });
  const leaving = new AbortController();
  const response = await fetch(target.url, { method: 'POST', ...request, signal: leaving.signal });
  if (!response.ok || response.body === null) throw new Error(`listening was answered with ${response.status}`);
  await response.body.getReader().read();
  leaving.abort();
}

/** What comes and goes. */
export const goings: readonly Going[] = [
  {
    what: 'legacy sessions that are ended',
    run: (world, times) => many(times, () => visit(targetOf(world), true)),
  },
  {
    what: 'legacy sessions that are left',
    async run(world, times) {
      await many(times, () => visit(targetOf(world), false));
      // Longer than a session may be idle here, and than it may take until that is seen.
      await pause(4_000);
    },
  },
  {
    what: 'sessions that the server forgets',
    async run(world, times) {
      const visitor = await introduce(targetOf(world));
      for (let i = 0; i < times; i++) {
        await visitor.call();
        await (await fetch(new URL('/forget', world.upstream.address))).text();
      }
      await visitor.call();
      await visitor.leave();
    },
  },
  {
    what: 'listens for lists and a resource',
    async run(world, times) {
      const notifications = { toolsListChanged: true, resourceSubscriptions: ['note://one'] };
      await many(times, () => listenOnce(targetOf(world), notifications));
      await until(
        () => lines(world, 'subscribed') === lines(world, 'unsubscribed'),
        'the server is told that nobody listens',
      );
    },
  },
  {
    what: 'calls that are cancelled',
    async run(world, times) {
      const before = once(world, 'cancelled');
      await many(times, async () => {
        const nonce = crypto.randomUUID();
        const leaving = new AbortController();
        const params = { name: 'stay', arguments: { nonce } };
        const asked = askModern(targetOf(world), 'tools/call', params, { signal: leaving.signal }).catch(
          () => undefined,
        );
        await until(() => countNoted(world.upstream.ledger, 'done').has(nonce), 'it has begun');
        leaving.abort();
        await asked;
      });
      await until(() => once(world, 'cancelled') === before + times, 'the server is told of all of them');
    },
  },
  {
    what: 'calls that are parked and forgotten',
    async run(world, times) {
      const before = once(world, 'declined');
      await many(times, async () => {
        const params = { name: 'ask', arguments: { nonce: crypto.randomUUID() } };
        const { result, reason } = await askModern(targetOf(world), 'tools/call', params);
        if (result?.resultType !== 'input_required') throw new Error(`it was not parked: ${reason}`);
      });
      await until(() => once(world, 'declined') === before + times, 'the server is told of all of them');
    },
  },
];

const config = {
  limits: {
    sessions: { max: 10_000, perPrincipal: 10_000, idle: '2s' },
    parked: { max: 1_000, perPrincipal: 1_000, time: '3s' },
  },
};

/** Handles that are there now and then; and objects, in MiB, that grow with the code that ran. */
const [fewHandles, fewMiB] = [10, 6];

/** How long connections with servers are kept for the next request, and a little. */
const keptMs = 7_000;

/** Lets something come and go as often as given, in rounds, and looks what stays after each of them. */
export async function findLeaks(
  going: Going,
  { times, rounds }: { times: number; rounds: number },
): Promise<LeakReport> {
  const world = await startFaultWorld('first', { config });
  await going.run(world, times);
  await pause(keptMs);
  const before = await lookAt(world);
  const after: Look[] = [];
  for (let round = 1; round < rounds; round++) {
    await going.run(world, times);
    const endMs = performance.now() + keptMs;
    let look = await lookAt(world);
    while (!isClean(before, look) && performance.now() < endMs) {
      await pause(500);
      look = await lookAt(world);
    }
    after.push(look);
  }
  const complaints = world.gateway.program.stderr().match(/MaxListenersExceededWarning/g)?.length ?? 0;
  const isGood = complaints === 0 && before.conversations <= fewHandles && after.every((look) => isClean(before, look));
  return { what: going.what, times, before, after, complaints, isGood };
}

function isClean(before: Look, now: Look): boolean {
  return (
    now.handles <= before.handles + fewHandles &&
    now.heap <= before.heap + fewMiB &&
    now.conversations <= before.conversations + fewHandles &&
    timersOf(now) <= timersOf(before) + fewHandles
  );
}

const timersOf = ({ resources: { Timeout = 0, Immediate = 0 } }: Look): number => Timeout + Immediate;

async function lookAt({ gateway, upstream }: FaultWorld): Promise<Look> {
  const diagnosis = await diagnose(gateway.program);
  const conversations = Number(await (await fetch(new URL('/sessions', upstream.address))).text());
  return { ...diagnosis, conversations };
}
