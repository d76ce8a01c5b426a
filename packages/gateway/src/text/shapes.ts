import { z } from 'zod';

/** A list. `error` says what was expected when it is none. */
export const listOf = <Item extends z.ZodType>(item: Item, error: string) => z.array(item, { error });

/** True or false, and nothing that only looks like it. */
export const flag = () => z.boolean({ error: 'expected true or false' });

/** `expected a list of …`. */
export const names = (what: string): string => `expected a list of ${what}`;

/** A whole number from `least` to `most`. */
export function count(least: number, most: number) {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}
