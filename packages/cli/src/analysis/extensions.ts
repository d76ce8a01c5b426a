import { and, apply, integer, no, type Term } from './smt.ts';
import { inRange, longest, type Sort, shortest } from './symbols.ts';
import { type Checked, NotAnalysed, type Plain, plain, type Value } from './values.ts';

/** What Cedar's extension functions are worth: decimals, times and durations, which are integers to a solver. */
export function extensionValue(name: string, args: readonly Checked[]): Checked {
  const ok = and(...args.map((argument) => argument.ok));
  const [first, second] = args.map(({ value }) => value);
  const constructed = constructors.get(name);
  if (constructed !== undefined) {
    const units = constructed.read(literalText(first));
    if (units === undefined || units > longest || units < shortest) return { value: plain('bool', no), ok: no };
    return { value: plain(constructed.sort, integer(units)), ok };
  }
  const comparison = comparisons.get(name);
  if (comparison !== undefined) {
    return { value: plain('bool', apply(comparison, of(first, 'decimal').term, of(second, 'decimal').term)), ok };
  }
  if (name === 'offset') return sum('+', [of(first, 'datetime'), of(second, 'duration')], { sort: 'datetime', ok });
  if (name === 'durationSince') {
    return sum('-', [of(first, 'datetime'), of(second, 'datetime')], { sort: 'duration', ok });
  }
  if (name === 'toMilliseconds') return { value: plain('long', of(first, 'duration').term), ok };
  throw new NotAnalysed(`the function ${name}`);
}

function sum(
  operator: string,
  [one, other]: readonly [Plain, Plain],
  { sort, ok }: { readonly sort: Sort; readonly ok: Term },
): Checked {
  const term = apply(operator, one.term, other.term);
  return { value: plain(sort, term), ok: and(ok, inRange(term)) };
}

function of(value: Value | undefined, sort: Sort): Plain {
  if (value?.kind !== 'plain' || value.sort !== sort) throw new NotAnalysed(`a ${sort} that is none`);
  return value;
}

const comparisons: ReadonlyMap<string, string> = new Map([
  ['lessThan', '<'],
  ['lessThanOrEqual', '<='],
  ['greaterThan', '>'],
  ['greaterThanOrEqual', '>='],
]);

interface Constructor {
  readonly sort: Sort;
  /** The number that a solver knows it by; undefined for what is not one. */
  readonly read: (text: string) => bigint | undefined;
}

const constructors: ReadonlyMap<string, Constructor> = new Map<string, Constructor>([
  ['decimal', { sort: 'decimal', read: readDecimal }],
  ['datetime', { sort: 'datetime', read: readDatetime }],
  ['duration', { sort: 'duration', read: readDuration }],
]);

function literalText(value: Value | undefined): string {
  const { term } = of(value, 'string');
  if (!/^"[^"\\]*"$/.test(term)) throw new NotAnalysed('a function of a text that is not written out');
  return term.slice(1, -1);
}

/** In ten-thousandths. */
export function readDecimal(text: string): bigint | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.(\d{1,4})$/.exec(text) ?? [];
  if (whole === '') return undefined;
  const units = BigInt(whole) * 10_000n + BigInt(fraction.padEnd(4, '0'));
  return sign === '-' ? -units : units;
}

function readDatetime(text: string): bigint | undefined {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d{4}))?$/.test(text)) return undefined;
  const ms = Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
  return Number.isNaN(ms) ? undefined : BigInt(ms);
}

const unitMs: readonly (readonly [unit: string, ms: bigint])[] = [
  ['d', 86_400_000n],
  ['h', 3_600_000n],
  ['m', 60_000n],
  ['s', 1000n],
  ['ms', 1n],
];

function readDuration(text: string): bigint | undefined {
  const found = /^(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text);
  if (found === null || text === '' || text === '-') return undefined;
  const ms = unitMs.reduce((total, [, factor], index) => total + BigInt(found[index + 2] ?? 0) * factor, 0n);
  return found[1] === '-' ? -ms : ms;
}

/** How a number of a solver's model is written in a call. */
export function written(sort: Sort, units: bigint): string | number {
  if (sort === 'datetime') return new Date(Number(units)).toISOString();
  if (sort === 'decimal') return Number(units) / 10_000;
  return Number(units);
}
