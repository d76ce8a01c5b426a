const colours = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 31 } as const;
const faint = 90;
const hidden: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'service', 'err', 'error', 'pid', 'hostname']);

/**
 * One NDJSON log line as a coloured line for people: time, level, service, message, then the rest as `name=value`. What
 * is not a log line passes as it is. Control characters are shown, never sent to the terminal: parts of a line may come
 * from strangers.
 */
export function formatLine(line: string): string {
  const entry = parse(line);
  if (!entry) return `${visible(line.trimEnd())}\n`;
  const level = String(entry.level ?? 'info');
  const time = String(entry.time ?? '').slice(11, 23);
  const service = entry.service === undefined ? '' : `${paint(36, `[${visible(String(entry.service))}]`)} `;
  const colour = Object.hasOwn(colours, level) ? colours[level as keyof typeof colours] : 0;
  const rest = Object.entries(entry)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => ` ${paint(faint, `${visible(name)}=`)}${visible(text(value))}`);
  const failure = failureOf(entry.err ?? entry.error);
  return `${paint(faint, visible(time))} ${paint(colour, visible(level).toUpperCase().padEnd(5))} ${service}${visible(String(entry.msg ?? ''))}${rest.join('')}${failure}\n`;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function failureOf(error: unknown): string {
  if (error === undefined) return '';
  const { stack, message } = (typeof error === 'object' && error !== null ? error : { message: error }) as Record<
    string,
    unknown
  >;
  const lines = String(stack ?? message ?? '').split('\n');
  return lines.map((line) => `\n    ${paint(faint, visible(line))}`).join('');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : String(JSON.stringify(value));
}

function paint(colour: number, words: string): string {
  return `\u001b[${colour}m${words}\u001b[0m`;
}

/** C0, DEL, C1 and the characters that turn the direction of text round. */
function visible(words: string): string {
  return words.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
