import { readdirSync, readFileSync } from 'node:fs';

/** One parser to throw texts at. */
export interface FuzzTarget {
  readonly name: string;
  /** A folder of texts to start from, one per file; found failures are added to it. */
  readonly corpus: URL;
  /** Gives a short word for what became of the text, and throws when a law is broken. */
  readonly run: (text: string) => string;
}

/** How long to try. The same seed gives the same texts. */
export interface FuzzBudget {
  readonly seed: number;
  /** Asked before each text. */
  readonly mayGoOn: (runs: number) => boolean;
}

/** What came of it. */
export interface FuzzReport {
  readonly name: string;
  readonly seed: number;
  readonly runs: number;
  /** How many texts became what: a fuzzer whose texts are all refused tries nothing. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** The first text that broke a law. */
  readonly failure?: { readonly text: string; readonly message: string };
}

/** Reads a corpus: file name → text. Characters beyond ASCII are written as they are, bytes that are no UTF-8 cannot be. */
export function readCorpus(folder: URL): ReadonlyMap<string, string> {
  const names = readdirSync(folder).sort();
  return new Map(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
}

/** Runs every text of the corpus as it is, then changed ones until the budget is used up or a law is broken. */
export function fuzz({ name, corpus, run }: FuzzTarget, { seed, mayGoOn }: FuzzBudget): FuzzReport {
  const texts = [...readCorpus(corpus).values()];
  const random = createRandom(seed);
  const verdicts: Record<string, number> = {};
  let runs = 0;
  while (runs < texts.length || mayGoOn(runs)) {
    const text = texts[runs] ?? mutate(texts, random);
    runs++;
    try {
      const verdict = run(text);
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    } catch (error) {
      return { name, seed, runs, verdicts, failure: { text, message: String(error) } };
    }
  }
  return { name, seed, runs, verdicts };
}

type Random = (below: number) => number;

/** Mulberry32: small, and the same everywhere. */
function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What hostile senders and sloppy writers put into texts. */
const tokens: readonly string[] = [
  ...'{}[]",:\\/ \n\r\t=?.-+%\0\u0001\u007f\u00a0\ufeff\ud800é\u017f\u212a\u2028😀',
  ...[
    'null',
    'true',
    '0',
    '-0',
    '1.0',
    '1e400',
    '9007199254740993',
    '"a":1,',
    '"id":1,',
    '"result":{},',
    '"__proto__"',
  ],
  ...[
    '\\u0000',
    '\\u0061',
    '\\ud83d',
    '\\u005f',
    '[[[[[[[[',
    '{"a":',
    '=?base64?',
    '?=',
    'data: ',
    'id: ',
    '\n\n',
    '\r\n',
  ],
];

function mutate(texts: readonly string[], random: Random): string {
  let text = texts[random(texts.length)] ?? '';
  for (let left = 1 + random(4); left > 0; left--) text = mutateOnce(text, texts, random);
  return text.slice(0, maxLength);
}

const maxLength = 20_000;

function mutateOnce(text: string, texts: readonly string[], random: Random): string {
  const at = random(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const span = 1 + random(8);
  switch (random(8)) {
    case 0:
      return before + after.slice(span);
    case 1:
      return before + after.slice(0, span) + after;
    case 2: {
      const other = texts[random(texts.length)] ?? '';
      return before + other.slice(random(other.length + 1));
    }
    case 3:
      return before + swapCase(after.charAt(0)) + after.slice(1);
    case 4:
      return `${before}\\u${after.charCodeAt(0).toString(16).padStart(4, '0').slice(-4)}${after.slice(1)}`;
    case 5:
      return before + String.fromCharCode(random(0x100)) + after.slice(1);
    default:
      return before + (tokens[random(tokens.length)] ?? '') + after.slice(random(2) * span);
  }
}

function swapCase(char: string): string {
  return char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase();
}
