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

const longestCell = 200;

/** The same for a place that holds one line: a line end would begin another, with whatever the text says then. */
export function printableLine(text: string): string {
  const line = printable(text).replace(/\n/g, '\\n');
  return line.length > longestCell ? `${line.slice(0, longestCell)}…` : line;
}

/** JSON of what came from elsewhere, to be shown: JSON leaves C1 controls and what reorders text as they are. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
