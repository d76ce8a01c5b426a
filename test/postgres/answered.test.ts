import { beforeEach, expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

forEachStore('who was answered by what', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open();
  });
  const pair = (account: string, tool: string) => ({ account, tool });

  it('is known to all who have it open, however often it is said, and by exactly these names', async () => {
    const other = await place.open();
    await Promise.all([state, other].map((at) => at.answered.add([pair('a', 't'), pair('a', 'u')], 1)));
    await state.answered.add([], 1);
    const asked = [pair('a', 't'), pair('a', 'u'), pair('A', 't'), pair('b', 't'), pair('a', '')];
    const known = await Promise.all(asked.map((one) => other.answered.has(one)));
    expect(known).toEqual([true, true, false, false, false]);
  });

  it('is forgotten from the oldest on', async () => {
    for (let i = 0; i < 5; i++) await state.answered.add([pair('a', `t${i}`)], i);
    await state.answered.keep(3);
    const known = await Promise.all([0, 1, 2, 3, 4].map((i) => state.answered.has(pair('a', `t${i}`))));
    expect(known).toEqual([false, false, true, true, true]);
    await state.answered.keep(3);
    expect(await state.answered.has(pair('a', 't2'))).toBe(true);
  });
});
