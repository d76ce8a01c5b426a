import { change, type Lines, placeOf, rechained, resigned } from './evidence-lines.ts';

/** Something that may have been done to a day of evidence before it reached the auditor. */
export interface Tampering {
  readonly name: string;
  readonly act: (lines: Lines) => Lines;
}

const edited = (line: string) => line.replace(/"subject":"[^"]*"/, '"subject":"mallory"');
const backDated = (line: string) => line.replace(/"timeMs":\d+/, '"timeMs":1700000000000');

/** What whoever has the file, and no key, can do to it. */
export const tamperings: readonly Tampering[] = [
  { name: 'edit a record', act: (lines) => change(lines, 4, edited) },
  {
    name: 'edit a record and make its hash and all later ones right',
    act: (lines) => rechained(change(lines, 4, edited), 4),
  },
  {
    name: 'back-date a record and chain everything after it anew',
    act: (lines) => rechained(change(lines, 4, backDated), 4),
  },
  { name: 'drop a record', act: (lines) => lines.toSpliced(placeOf(lines, 4), 1) },
  { name: 'swap two records', act: swapped },
  { name: 'insert a record, number and chain the later ones anew', act: inserted },
  { name: 'cut the last records off', act: (lines) => lines.toSpliced(placeOf(lines, -3), 3) },
  { name: 'cut everything after a record off', act: (lines) => lines.slice(0, placeOf(lines, 6)) },
  { name: 'cut the beginning off', act: (lines) => lines.toSpliced(placeOf(lines, 0), 3) },
  {
    name: 'put other sealed arguments in',
    act: (lines) => change(lines, 4, (line) => line.replace(/"sealed":"[^"]*"/, '"sealed":"AgEC"')),
  },
  {
    name: 'edit a record, chain everything anew and sign with another key',
    act: (lines) => resigned(rechained(change(lines, 4, edited), 4)),
  },
  { name: 'say that it is the log of another gateway', act: (lines) => lines.with(0, renamed(lines[0] ?? '')) },
];

function swapped(lines: Lines): Lines {
  const [one, other] = [placeOf(lines, 4), placeOf(lines, 5)];
  return lines.with(one, lines[other] ?? '').with(other, lines[one] ?? '');
}

function inserted(lines: Lines): Lines {
  const at = placeOf(lines, 4);
  const twice = lines.toSpliced(at, 0, lines[at] ?? '');
  const moved = twice.map((line, index) =>
    index > at ? line.replace(/^\{"seq":(\d+)/, (_, seq) => `{"seq":${Number(seq) + 1}`) : line,
  );
  return rechained(moved, 4);
}

function renamed(header: string): string {
  return header.replace(/"origin":"[^"]*"/, '"origin":"sallyport/audit/another"');
}
