import { searchAudit } from '@sallyport/gateway';
import { type Fate, startLoad } from './load.ts';
import { pause, until } from './program.ts';
import { createSite, ready } from './site.ts';

/** What came of killing a gateway again and again. */
export interface KillRounds {
  readonly rounds: number;
  /** Answers of any kind that a client saw. */
  readonly answers: number;
  /** Calls that were cut off without an answer. */
  readonly cut: number;
  /** Ids of calls whose answer was seen and of which the log knows nothing. */
  readonly missing: readonly string[];
  /** The log verified after each kill. */
  readonly verified: boolean;
}

/** Kills a gateway with SIGKILL under load at random moments and starts it again on the same data, with its services up. */
export async function killRounds(
  rounds: number,
  onRound: (round: number) => void = () => undefined,
): Promise<KillRounds> {
  const site = createSite(['one'], 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }');
  let token: string | undefined;
  let [answers, cut, lastMs] = [0, 0, 0];
  const missing: string[] = [];
  let verified = true;
  for (let round = 1; round <= rounds; round++) {
    const gateway = await site.startGateway();
    if (round === 1) site.startService('one');
    await ready(gateway, 'one');
    token ??= await gateway.mint('load', ['one:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'one.Trial.Who' }, 8);
    await until(() => load.fates.length > 20);
    await pause(Math.random() * 200);
    gateway.program.kill('SIGKILL');
    await gateway.program.ended;
    const fates = await load.stop();
    const seen = fates.filter((fate): fate is Fate & { callId: string } => fate.callId !== undefined);
    answers += seen.length;
    cut += fates.filter(({ end }) => end === 'lost').length;
    const recorded = await recordedSince(`${gateway.data}/audit.db`, lastMs);
    lastMs = Date.now() - 60_000;
    missing.push(...seen.map(({ callId }) => callId).filter((callId) => !recorded.has(callId)));
    verified &&= (await gateway.verify()).ok;
    onRound(round);
  }
  return { rounds, answers, cut, missing, verified };
}

async function recordedSince(path: string, sinceMs: number): Promise<ReadonlySet<string>> {
  const rows = await searchAudit(path, { sinceMs }, { limit: 10_000_000 });
  return new Set(rows.flatMap(({ record }) => (record.kind === 'refusals' ? [] : [record.callId])));
}
