import { stripVTControlCharacters } from 'node:util';
import picocolors from 'picocolors';

/** Colours, or the plain text where colour is not wanted. */
export type Style = ReturnType<typeof picocolors.createColors>;

/** What decides about colour: the stream's kind and the two customary variables. */
export interface ColourFacts {
  readonly isTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Colours for a stream. `NO_COLOR` (any value but empty, as no-color.org has it) wins over `FORCE_COLOR`, which wins
 * over whether the stream is a terminal.
 */
export function createStyle({ isTty, env }: ColourFacts): Style {
  return picocolors.createColors(wantsColour(isTty, env));
}

function wantsColour(isTty: boolean, env: ColourFacts['env']): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0';
  return isTty && env.TERM !== 'dumb';
}

/** Everything that controls rather than shows, but for tabs and line ends; also what reorders text. */
const controlling = /(?![\t\n])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

/** Removes what could move the cursor or recolour the terminal: text from services and agents is shown, not obeyed. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(controlling, '');
}
