import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson } from '../context.ts';
import { CliError } from '../exit.ts';
import { printable, printableLine, type Style } from '../terminal/style.ts';
import { pad } from '../terminal/table.ts';

/** Options of `trace`. */
export interface TraceOptions extends AdminOptions {
  /** Whether the message itself is wanted, if it was kept. */
  readonly message: boolean;
}

/** One thing that happened, as the gateway tells of it. */
interface TracedEvent {
  readonly at: string;
  readonly what: string;
  readonly subject?: string;
  readonly actors?: readonly string[];
  readonly client?: string;
  readonly digest?: string;
  readonly text?: string;
  readonly kept?: boolean;
  readonly intent?: string;
  readonly gave?: string;
  readonly tool?: string;
  readonly outcome?: string;
  readonly toolError?: boolean;
  readonly reason?: string;
  readonly serving?: string;
  readonly durationMs?: number;
  readonly callId?: string;
}

interface Traced {
  readonly intent: {
    readonly id: string;
    readonly madeFrom?: string;
    readonly purpose?: string;
    readonly state: string;
    readonly tools: readonly string[];
    readonly calls: { readonly granted: number; readonly left: number };
    readonly expiresAt: string;
  };
  readonly timeline: readonly TracedEvent[];
}

/** `trace` */
export async function trace(id: string, options: TraceOptions, context: Context): Promise<void> {
  const { isTraceOrCall, traceCalls } = await import('./trace-tree.ts');
  return isTraceOrCall(id) ? traceCalls(id, options, context) : traceIntent(id, options, context);
}

async function traceIntent(id: string, options: TraceOptions, context: Context): Promise<void> {
  const args = { id: intentIdIn(id), message: options.message };
  const traced = (await administer(options, context, 'intents.trace', args)) as unknown as Traced;
  if (options.json) return printJson(context, traced);
  print(context, timelineText(traced, context.style));
}

/** The id in what people have at hand: the id itself, `intent:…` of a record. Never a token. */
export function intentIdIn(text: string): string {
  if (text.startsWith('spi_')) {
    throw new CliError('usage', 'That is a token; its id is enough.', {
      hint: 'The 16 characters after spi_. Tokens are never given on the command line: others on this machine could read it there.',
    });
  }
  const id = text.replace(/^intent:/, '');
  if (/^[0-9A-Za-z]{16}$/.test(id)) return id;
  throw new CliError('usage', `"${text}" is not the id of an intent.`, {
    hint: 'It has 16 letters and digits; `sallyport intent list` shows those there are.\n`sallyport trace` takes a trace (32 hexadecimal digits) or a call (last column of `sallyport audit search`) as well.',
  });
}

function timelineText({ intent, timeline }: Traced, style: Style): string {
  const { granted, left } = intent.calls;
  const madeFrom = intent.madeFrom === undefined ? '' : `, made from ${intent.madeFrom}`;
  const purpose = intent.purpose === undefined ? '' : `, for ${printableLine(intent.purpose)}`;
  return [
    `${style.bold(`intent ${intent.id}`)} ${style.dim(`${intent.state}${purpose}${madeFrom}`)}`,
    style.dim(
      `${intent.tools.map(printableLine).join(', ')} · ${granted - left} of ${granted} calls made · until ${intent.expiresAt}`,
    ),
    '',
    ...timeline.flatMap((event) => eventLines(event, style)),
  ].join('\n');
}

function eventLines(event: TracedEvent, style: Style): readonly string[] {
  const time = style.dim(event.at.slice(11, 23));
  const who = printableLine(
    [event.subject ?? 'unknown', ...(event.actors ?? []).map((actor) => `via ${actor}`)].join(' '),
  );
  switch (event.what) {
    case 'message':
      return [`${time}  ${style.bold('message')} of ${who}`, ...messageLines(event, style)];
    case 'given':
      return [`${time}  token given to ${who} ${style.dim(printableLine(event.client ?? ''))}`];
    default:
      return [callLine(event, { time, who, style })];
  }
}

function messageLines({ text, digest = '', kept }: TracedEvent, style: Style): readonly string[] {
  const lines =
    text === undefined
      ? []
      : printable(text)
          .split('\n')
          .map((line) => `              ${line}`);
  const note = text === undefined ? (kept ? ' (kept, not shown)' : ' (the message was not kept)') : '';
  return [...lines, style.dim(`              sha-256 ${digest}${note}`)];
}

interface LineParts {
  readonly time: string;
  readonly who: string;
  readonly style: Style;
}

function callLine(event: TracedEvent, { time, who, style }: LineParts): string {
  const { tool, what, serving, reason, toolError, gave, intent } = event;
  const name = printableLine(tool ?? what);
  const indent = serving === undefined ? '' : '└─ ';
  const notes = [
    ...(gave === undefined ? [] : [`gave intent ${gave}`]),
    ...(intent === undefined ? [] : [`under intent ${intent}`]),
  ];
  const outcome =
    event.outcome === 'refused'
      ? style.red(`refused ${reason ?? ''}`)
      : toolError
        ? style.yellow('answered (tool error)')
        : style.green(event.outcome ?? '');
  const cells = [pad(indent + name, 36), pad(outcome, 26), pad(who, 30), style.dim(event.callId ?? ''), ...notes];
  return `${time}  ${cells.join('  ')}`.trimEnd();
}
