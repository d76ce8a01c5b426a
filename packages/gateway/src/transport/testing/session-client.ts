import { type Answer, GatewayError, type JsonText, type Permit, type Stages, spendPermit } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import type { HttpOptions, HttpTransport } from '../http.ts';
import { type Reply, send } from './client.ts';
import { type Reading, readStream } from './event-source.ts';
import { createRig, startHttp } from './rig.ts';

const open: HttpTransport[] = [];
const readings: Reading[] = [];

/** Closes what tests have opened. To be called after each. */
export async function closeSessions(): Promise<void> {
  for (const reading of readings.splice(0)) reading.drop();
  await Promise.all(open.splice(0).map((http) => http.close(0)));
}

/** What a tool does before it answers, until it is told to go on. */
export interface Running {
  readonly permit: Permit;
  readonly hop: Parameters<Stages['dispatch']>[1];
  finish(answer?: Partial<Answer>): void;
}

/** A gateway whose tools do what the test says, with a principal for each token. */
export async function startSessions(options: HttpOptions = {}, stages: Partial<Stages> = {}) {
  const running: Running[] = [];
  const tokens = new Set(['good', 'renewed', 'eve']);
  const clock = { now: 1_000 };
  const rig = createRig(
    { nowMs: () => clock.now, serverInfo: { name: 'gate', version: '1' } },
    {
      authenticate: ({ presented }) => {
        if (presented.kind !== 'bearer' || !tokens.has(presented.token)) throw new GatewayError('credential_invalid');
        return fakePrincipal({ subject: presented.token === 'eve' ? 'eve' : 'ada' });
      },
      dispatch: async (permit, hop) => {
        spendPermit(permit);
        hop.sent();
        if (permit.target.name.endsWith('Read')) return answered('read');
        return new Promise<Answer>((resolve, reject) => {
          const giveUp = () => reject(new GatewayError('cancelled'));
          if (hop.signal.aborted) giveUp();
          hop.signal.addEventListener('abort', giveUp, { once: true });
          running.push({ permit, hop, finish: (answer = {}) => resolve({ ...answered('done'), ...answer }) });
        });
      },
      ...stages,
    },
  );
  const started = await startHttp(rig, options);
  open.push(started.http);
  return { ...started, rig, running, tokens, clock, mcp: `${started.url}/mcp` };
}

function answered(text: string): Answer {
  return { text: JSON.stringify({ content: [{ type: 'text', text }] }) as JsonText, isError: false, instance: 'i1' };
}

/** What a client says first. */
export const introduction = (version: string, capabilities: object = {}) => ({
  ...{ jsonrpc: '2.0', id: 'init', method: 'initialize' },
  params: { protocolVersion: version, capabilities, clientInfo: { name: 'test', version: '1' } },
});

/** A client of one session. */
export async function connect(url: string, { version = '2025-11-25', capabilities = {}, token = 'good' } = {}) {
  const authorization = `Bearer ${token}`;
  const greeted = await send(url, {
    headers: { authorization },
    body: JSON.stringify(introduction(version, capabilities)),
  });
  const id = String(greeted.headers['mcp-session-id']);
  const headers = {
    ...{ authorization, 'mcp-session-id': id, 'mcp-protocol-version': version },
    'content-type': 'application/json',
  };
  const post = (message: string | object, more: Record<string, string> = {}): Promise<Reply> =>
    send(url, {
      headers: { ...headers, ...more },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
  const stream = async (message: string, more: Record<string, string> = {}): Promise<Reading> => {
    const reading = await readStream(url, { headers: { ...headers, ...more }, body: message });
    readings.push(reading);
    return reading;
  };
  const get = async (more: Record<string, string> = {}): Promise<Reading> => {
    const reading = await readStream(url, {
      method: 'GET',
      headers: { ...headers, accept: 'text/event-stream', ...more },
    });
    readings.push(reading);
    return reading;
  };
  const end = (): Promise<Reply> => send(url, { method: 'DELETE', headers });
  await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return { id, headers, greeted, post, stream, get, end };
}

/** A call that takes as long as the test wants. */
export const slow = (id: number | string = 1, params: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'blog.Posts.Slow', ...params } });
/** The least there is to ask. */
export const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };
