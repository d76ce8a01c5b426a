import { Agent, request } from 'node:http';
import type { JsonObject } from '@sallyport/protocol';

/** What became of one call over REST. */
export interface Fate {
  /** `answered`, the reason of a refusal, or `lost` when no whole answer came. */
  readonly end: string;
  readonly status?: number;
  /** The id that the answer was sent under. */
  readonly callId?: string;
  readonly result?: any;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Where calls go, and what they are. */
export interface Calls {
  readonly mcp: URL;
  readonly token: string;
  readonly tool: string;
  readonly input?: JsonObject;
}

/** Calls once, over a connection of the agent. Never rejects. */
export function callOnce({ mcp, token, tool, input = {} }: Calls, agent?: Agent): Promise<Fate> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const end = (fate: Omit<Fate, 'startedMs' | 'endedMs'>): void =>
      resolve({ ...fate, startedMs, endedMs: performance.now() });
    const lost = (): void => end({ end: 'lost' });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asking = request(new URL('/mcp/call', mcp), { method: 'POST', headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', lost);
      response.once('aborted', lost);
      response.once('end', () => {
        if (!response.complete) return lost();
        const { result, error, trace_id } = JSON.parse(text);
        const callId = trace_id ?? error?.trace_id;
        end({ end: error?.reason ?? 'answered', status: response.statusCode ?? 0, callId, result });
      });
    });
    asking.once('error', lost);
    asking.end(JSON.stringify({ tool, input }));
  });
}

/** A steady stream of calls. */
export interface Load {
  readonly fates: readonly Fate[];
  /** Calls no more, and resolves with all fates when the last answer is here. */
  stop(): Promise<readonly Fate[]>;
}

/** Calls from so many connections at once, each again as soon as it has its answer. */
export function startLoad(calls: Calls, connections = 8): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const fates: Fate[] = [];
  let stopped = false;
  const worker = async (): Promise<void> => {
    while (!stopped) {
      const fate = await callOnce(calls, agent);
      fates.push(fate);
      // A gateway that is not there refuses connections faster than is of use.
      if (fate.end === 'lost') await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const workers = Promise.all(Array.from({ length: connections }, worker));
  return {
    fates,
    async stop() {
      stopped = true;
      await workers;
      agent.destroy();
      return fates;
    },
  };
}

/** How many of each end. */
export function tally(fates: readonly Fate[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { end } of fates) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}
