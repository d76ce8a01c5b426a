import { add, Extension, type Long, longOf, multiply, subtract } from './values.ts';

/** Cedar's decimal: digits, a point, one to four digits. Undefined: it is none, or too large. */
export function decimalOf(text: string): Extension | undefined {
  const parts = /^(-?)([0-9]+)\.([0-9]{1,4})$/.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = ''] = parts;
  const units = longOf(BigInt(`${sign}${whole}${fraction.padEnd(4, '0')}`));
  return units === undefined ? undefined : new Extension('decimal', units);
}

/**
 * The decimal that a JSON number is exactly. Undefined for all others: nothing is rounded. A number is exact where it is what
 * the decimal is read as, and no other decimal is read as the same number.
 */
export function decimalOfNumber(value: number): Extension | undefined {
  const units = Math.round(value * 10_000);
  // `+ 0`: there is no negative zero among decimals.
  return Number.isSafeInteger(units) && units / 10_000 === value ? new Extension('decimal', units + 0) : undefined;
}

const dateForm =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?$/;

/** Cedar's datetime: a date, or a date and time with `Z` or an offset. Undefined: it is none. */
export function datetimeOf(text: string): Extension | undefined {
  const parts = dateForm.exec(text);
  if (parts === null) return undefined;
  const at = (place: number): number => Number(parts[place] ?? 0);
  const [year, month, day, hours, minutes, seconds] = [at(1), at(2), at(3), at(4), at(5), at(6)];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDay || hours > 23 || minutes > 59 || seconds > 59 || at(9) > 23 || at(10) > 59) return undefined;
  const time = ((hours * 60 + minutes) * 60 + seconds) * 1000 + at(7);
  const offset = (at(9) * 60 + at(10)) * 60_000 * (parts[8] === '-' ? -1 : 1);
  return new Extension('datetime', date.getTime() + time - offset);
}

const durationForm = /^(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/;
const day = 86_400_000;
const unitsMs = [day, 3_600_000, 60_000, 1000, 1];

/** Cedar's duration: `1d2h3m4s5ms`, units in this order, each at most once. Undefined: it is none, or too long. */
export function durationOf(text: string): Extension | undefined {
  const parts = durationForm.exec(text);
  if (parts === null || text.length === parts[1]?.length) return undefined;
  let sum = 0n;
  for (const [place, unit] of unitsMs.entries()) sum += BigInt(parts[place + 2] ?? 0) * BigInt(unit);
  const units = longOf(parts[1] === '-' ? -sum : sum);
  return units === undefined ? undefined : new Extension('duration', units);
}

/** How Cedar's JSON writes a value of an extension type. */
export function extensionJson({ name, units }: Extension): { readonly fn: string; readonly arg: string } {
  if (name === 'duration') return { fn: name, arg: `${units}ms` };
  if (name === 'datetime') return { fn: name, arg: new Date(Number(units)).toISOString() };
  const digits = String(units).replace('-', '').padStart(5, '0');
  return { fn: name, arg: `${units < 0 ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}` };
}

type Name = Extension['name'];

/** A function of extension values: what it takes, and what it comes to. Undefined: it does not fit into 64 bits. */
export interface ExtensionFunction {
  readonly takes: readonly Name[];
  readonly apply: (first: Long, second: Long) => boolean | Long | Extension | undefined;
}

const twoDecimals = ['decimal', 'decimal'] as const;

/** Those functions of extension values that are known here exactly. All others are Cedar's own to evaluate. */
export const extensionFunctions: ReadonlyMap<string, ExtensionFunction> = new Map<string, ExtensionFunction>([
  ['lessThan', { takes: twoDecimals, apply: (left, right) => left < right }],
  ['lessThanOrEqual', { takes: twoDecimals, apply: (left, right) => left <= right }],
  ['greaterThan', { takes: twoDecimals, apply: (left, right) => left > right }],
  ['greaterThanOrEqual', { takes: twoDecimals, apply: (left, right) => left >= right }],
  ['offset', { takes: ['datetime', 'duration'], apply: (time, by) => extension('datetime', add(time, by)) }],
  [
    'durationSince',
    { takes: ['datetime', 'datetime'], apply: (time, since) => extension('duration', subtract(time, since)) },
  ],
  ['toDate', { takes: ['datetime'], apply: (time) => extension('datetime', multiply(daysOf(time), day)) }],
  [
    'toTime',
    {
      takes: ['datetime'],
      apply: (time) => extension('duration', longOf(BigInt(time) - BigInt(daysOf(time)) * BigInt(day))),
    },
  ],
  ['toMilliseconds', { takes: ['duration'], apply: (time) => time }],
  ['toSeconds', { takes: ['duration'], apply: (time) => longOf(BigInt(time) / 1000n) }],
  ['toMinutes', { takes: ['duration'], apply: (time) => longOf(BigInt(time) / 60_000n) }],
  ['toHours', { takes: ['duration'], apply: (time) => longOf(BigInt(time) / 3_600_000n) }],
  ['toDays', { takes: ['duration'], apply: (time) => longOf(BigInt(time) / BigInt(day)) }],
]);

/** Functions from a text to an extension value. */
export const extensionConstructors: ReadonlyMap<string, (text: string) => Extension | undefined> = new Map([
  ['decimal', decimalOf],
  ['datetime', datetimeOf],
  ['duration', durationOf],
]);

/** Whole days since the epoch, downwards. */
function daysOf(time: Long): Long {
  if (typeof time === 'number') return Math.floor(time / day);
  const days = time / BigInt(day);
  return Number(days * BigInt(day) > time ? days - 1n : days);
}

function extension(name: Name, units: Long | undefined): Extension | undefined {
  return units === undefined ? undefined : new Extension(name, units);
}
