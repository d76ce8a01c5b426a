import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { approvalTerms, approvalVote, wantedApproval } from '@sallyport/testkit';
import type { State, StateOptions } from './state.ts';

/** Where the database is that they race at. */
type Where = Omit<StateOptions, 'nowMs'>;

/** What came of races: how often how many had the approval, and who. */
export interface RaceReport {
  readonly rounds: number;
  /** Rounds that did not have exactly one winner. Must be none. */
  readonly wrong: readonly number[];
  /** How many rounds each process won. */
  readonly wins: readonly number[];
}

/** Lets two processes reserve the same approvals at the same time, one after the other. */
export async function raceForApprovals(state: State, where: Where, rounds: number): Promise<RaceReport> {
  const { nowMs } = approvalTerms();
  const racers = await Promise.all([0, 1].map(() => startRacer(where, nowMs)));
  const wins = racers.map(() => 0);
  const wrong: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const wanted = wantedApproval();
      await state.approvals.request(wanted, approvalTerms());
      await state.approvals.vote(wanted.id, approvalVote('eve'));
      const answers = racers.map((racer) => once(racer, 'message'));
      // Who is told first is not always the same.
      for (const racer of round % 2 === 0 ? racers : [...racers].reverse()) racer.send(wanted.id);
      const won = (await Promise.all(answers)).map(([answer]) => (answer as { readonly isMine: boolean }).isMine);
      if (won.filter((isMine) => isMine).length !== 1) wrong.push(round);
      for (const [index, isMine] of won.entries()) wins[index] = (wins[index] ?? 0) + Number(isMine);
    }
  } finally {
    await Promise.all(racers.map(end));
  }
  return { rounds, wrong, wins };
}

async function startRacer(where: Where, nowMs: number): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./approvals-racer.fuzz.ts', import.meta.url));
  const racer = fork(script, [JSON.stringify(where), String(nowMs)], { execArgv: ['--conditions=sallyport-source'] });
  await once(racer, 'message');
  return racer;
}

async function end(racer: ChildProcess): Promise<void> {
  const ended = once(racer, 'exit');
  racer.disconnect();
  await ended;
}
