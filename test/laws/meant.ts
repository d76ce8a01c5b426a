import { type Intent, type Intents, intentWithout, type Principal } from '@sallyport/core';

/** What the intent of the lab allows. */
const tools = [
  ...['Amount', 'Asks', 'Contained', 'Echo', 'Hidden', 'Keeps', 'Kept', 'Limited', 'Scoped', 'Unknown'].map(
    (name) => `lab.Tools.${name}`,
  ),
  ...[
    'lab.prompts/Echo',
    'lab.prompts/Hidden',
    'lab.prompts/Scoped',
    'lab.resources/note://Echo',
    'lab.methods/lab/Echo',
  ],
];

/** How many calls the intent of the lab is good for, since limits were last fresh. */
export const meantCalls = 6;

/** The largest amount it is good for: less than policy allows. */
export const meantAmount = 50;

/** What one of the lab's callers was let in for. */
export const intent: Intent = {
  id: 'intent-1',
  messageDigest: 'a'.repeat(43),
  expiresAtMs: 4_000_000_000_000,
  allows: [
    {
      intent: 'intent-1',
      tools,
      bounds: [{ tool: 'lab.Tools.Amount', pointer: '/amount', maximum: meantAmount }],
      calls: meantCalls,
    },
  ],
};

/** Whether a principal was let in for a target, as far as its intent says. */
export function isMeant({ intent: own }: Principal, targetName: string): boolean {
  return own === undefined || intentWithout(own, targetName) === undefined;
}

/** Counts the calls of the intents of a lab. */
export function countedIntents(): Intents & { renew(): void } {
  let left = meantCalls;
  let asked = 0;
  return {
    find: () => undefined,
    take(ids, { goesOn }) {
      if (goesOn && asked > 0) {
        asked--;
        return { taken: true, from: 'asked' };
      }
      if (left <= 0) return { taken: false, why: 'spent', intent: ids[0] ?? '' };
      left--;
      return { taken: true, from: 'calls' };
    },
    giveBack(_ids, from) {
      if (from === 'asked') asked++;
      else left++;
    },
    asked: () => {
      asked++;
    },
    renew() {
      left = meantCalls;
      asked = 0;
    },
  };
}
