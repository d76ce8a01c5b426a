import { expect, it } from 'vitest';
import { raceForApprovals } from '../../packages/gateway/src/store/approvals-race.fuzz.ts';
import { forEachStore } from '../postgres/each.ts';

forEachStore('two processes that race for approvals, a thousand times', (newPlace) => {
  it('have exactly one winner each time', async () => {
    const place = await newPlace();
    const state = await place.open(() => 1_000_000);
    const { rounds, wrong, wins } = await raceForApprovals(state, place.where, 1_000);
    expect({ rounds, wrong }).toEqual({ rounds: 1_000, wrong: [] });
    // If one of them always won, they would not have raced.
    expect(Math.min(...wins)).toBeGreaterThan(10);
  });
});
