import { expect, it } from 'vitest';
import { createLogRooms } from './log-rooms.ts';
import { createLogRoom } from './sessions.ts';

it('the room of one account ends before that of all does', () => {
  const roomOf = createLogRooms(createLogRoom(100), 40);
  const [one, same, other] = [roomOf('a'), roomOf('a'), roomOf('b')];
  expect([one.take(30), same.take(20), same.take(10), other.take(40), roomOf('c').take(30)]).toEqual([
    ...[true, false, true, true, false],
  ]);
  one.give(30);
  expect([roomOf('c').take(30), same.take(30), same.take(1)]).toEqual([true, false, true]);
});
