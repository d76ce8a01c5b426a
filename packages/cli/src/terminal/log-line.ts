import { printable, type Style } from './style.ts';

const levels: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Members of a pino line that are shown elsewhere, or say nothing on one machine. */
const quiet = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'v']);

/**
 * One line of a program's output as a person likes to read it: pino's JSON becomes `message key=value`, marked by its
 * level; anything else stays as it is. Never throws, whatever the line holds.
 *
 * @param speaker who is known to say it: need not be said again.
 */
export function formatLogLine(line: string, style: Style, speaker?: string): string {
  const record = readRecord(line);
  if (record === undefined) return printable(line);
  const level = typeof record.level === 'string' ? record.level : (levels[Number(record.level)] ?? 'info');
  const facts = Object.entries(record).flatMap(([key, value]) =>
    quiet.has(key) || (key === 'service' && value === speaker)
      ? []
      : [` ${style.dim(`${key}=`)}${factText(key, value)}`],
  );
  return `${mark(level, style)}${printable(String(record.msg ?? '')).replace(/\n/g, '\\n')}${facts.join('')}`;
}

function readRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const isRecord = typeof value === 'object' && value !== null && 'level' in value && 'msg' in value;
    return isRecord ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function mark(level: string, style: Style): string {
  if (level === 'info') return '';
  if (level === 'warn') return style.yellow('warn ');
  if (level === 'error' || level === 'fatal') return style.red(`${level} `);
  return style.dim(`${level} `);
}

function factText(key: string, value: unknown): string {
  if (key === 'err' && typeof value === 'object' && value !== null && 'message' in value)
    return printable(String(value.message)).replace(/\n/g, '\\n');
  if (typeof value !== 'string') return printable(JSON.stringify(value));
  const text = printable(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

type Paint = (text: string) => string;

/** Gives each name a colour of its own, the same one every time it is asked, and pads it to the longest name. */
export function createPrefixes(names: readonly string[], style: Style): (name: string) => string {
  const paints: readonly Paint[] = [
    style.cyan,
    style.magenta,
    style.yellow,
    style.green,
    style.blue,
    style.cyanBright,
    style.magentaBright,
  ];
  const known = [...names];
  return (name) => {
    if (!known.includes(name)) known.push(name);
    const paint = paints[known.indexOf(name) % paints.length] ?? style.bold;
    const width = Math.max(...known.map((each) => each.length));
    return `${paint(name.padEnd(width))} ${style.dim('│')}`;
  };
}
