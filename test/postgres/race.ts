import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StatePlace } from './each.ts';

/** What a process that races is told. */
export interface Race {
  readonly where: StatePlace['where'];
  readonly items: number;
}

/** What one of them won, by what it was about: for each item whether it was the one. */
export type Won = Readonly<Record<string, readonly boolean[]>>;

/** The time in all of them. */
export const raceNowMs = 1_000_000;

/** Starts so many processes, lets them begin at the same moment, and resolves with what each won. */
export async function runRace(racers: number, race: Race): Promise<readonly Won[]> {
  const children = Array.from({ length: racers }, () =>
    fork(join(import.meta.dirname, 'racer.ts'), { execArgv: ['--conditions=sallyport-source'] }),
  );
  try {
    await Promise.all(
      children.map(async (child) => {
        child.send(race);
        await once(child, 'message');
      }),
    );
    return await Promise.all(
      children.map(async (child) => {
        child.send('go');
        const [won] = await once(child, 'message');
        await once(child, 'exit');
        return won as Won;
      }),
    );
  } finally {
    for (const child of children) child.kill();
  }
}
