import { searchAudit } from '@sallyport/gateway';
import { badCall, type FloodTally, flood, probe } from './flood.ts';
import { type Fate, startLoad, tally } from './load.ts';
import { until } from './program.ts';
import { createSite, ready } from './site.ts';

/** What a flood of bad tokens does to a gateway. */
export interface BadTokens {
  readonly requests: number;
  readonly answers: FloodTally;
  readonly seconds: number;
  /** Rows in the log that the flood caused, and the bytes of their records. */
  readonly rows: number;
  readonly bytes: number;
  /** Refusals told by those rows: singly, and as counts. */
  readonly told: number;
  readonly verified: boolean;
  readonly valid: Readonly<Record<string, number>>;
  /** Median time of a valid call, in milliseconds: while as many requests come for which nothing is written, and in the flood. */
  readonly medianBesideProbesMs: number;
  readonly medianInFloodMs: number;
}

const windowSeconds = 10;

/** The most rows that so long a flood may leave: 20 singly and one count, for bad tokens and for too many, in each window. */
export function mostRows(seconds: number): number {
  return 2 * 21 * (Math.ceil(seconds / windowSeconds) + 1);
}

/** Sends bad tokens to a gateway that serves valid calls, at the same rate as probes before. */
export async function floodWithBadTokens(requests: number, rate: number): Promise<BadTokens> {
  const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }';
  const site = createSite(['one'], `${roomy}\naudit: { refusalsPerPeer: 20, refusalWindow: ${windowSeconds}s }`);
  const gateway = await site.startGateway();
  site.startService('one');
  await ready(gateway, 'one');
  const token = await gateway.mint('load', ['one:use']);
  const url = gateway.mcp;
  const beside = async (work: () => Promise<FloodTally>) => {
    const load = startLoad({ mcp: url, token, tool: 'one.Trial.Who' }, 1);
    const answers = await work();
    return { answers, fates: await load.stop() };
  };
  const quiet = await beside(() =>
    flood({ url, count: Math.min(requests, rate * 5), rate, request: () => probe(url) }),
  );
  const log = `${gateway.data}/audit.db`;
  const startMs = performance.now();
  const loud = await beside(() => flood({ url, count: requests, rate, request: (index) => badCall(url, index) }));
  const seconds = (performance.now() - startMs) / 1_000;
  // What was only counted is written when its window ends.
  await until(
    async () => (await refusalsIn(log)).told >= requests,
    'all refusals are told',
    2 * windowSeconds * 1_000 + 10_000,
  );
  return {
    ...{ requests, answers: loud.answers, seconds },
    ...(await refusalsIn(log)),
    verified: (await gateway.verify()).ok,
    valid: tally(loud.fates),
    medianBesideProbesMs: median(quiet.fates),
    medianInFloodMs: median(loud.fates),
  };
}

async function refusalsIn(log: string): Promise<Pick<BadTokens, 'rows' | 'bytes' | 'told'>> {
  let [rows, bytes, told] = [0, 0, 0];
  for (const { record } of await searchAudit(log, { outcome: 'refused' }, { limit: 10_000_000 })) {
    told += record.kind === 'refusals' ? record.count : 1;
    bytes += JSON.stringify(record).length;
    rows++;
  }
  return { rows, bytes, told };
}

function median(fates: readonly Fate[]): number {
  const times = fates.map(({ startedMs, endedMs }) => endedMs - startedMs).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? Number.NaN;
}
