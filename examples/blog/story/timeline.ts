import { stripVTControlCharacters, styleText } from 'node:util';
import { actorsOf, type Span } from './audit.ts';
import { type Asked, lineOf } from './intent.ts';
import { auditOutcome, type Played, type Story } from './play.ts';

/** Prints a story for people: what the agent did, what the gateway decided, what it caused, and the proof. */
export function timeline(story: Story & { readonly asked: Asked; readonly trace: string }): string {
  const { played, tools, audit, asked, trace, problems, protocolVersion } = story;
  return [
    '',
    bold('A blog, an agent, and the door between them'),
    dim(`MCP ${protocolVersion} over Streamable HTTP; the agent may read and write, but holds no posts:admin`),
    '',
    `${dim(' 1')}  the agent looks at what it may call ${dim('tools/list')}`,
    `    ${mark(tools.length > 0)} ${tools.length} tools; posts.PostService.Delete and users.UserService.Reindex are not among them`,
    ...played.flatMap((each, index) => stepLines(each, index + 2)),
    '',
    ...askedLines(asked),
    '',
    bold('How it was published, as `sallyport trace` prints it from the records'),
    ...trace
      .trimEnd()
      .split('\n')
      .map((line) => `    ${line}`),
    '',
    bold('The audit'),
    `    ${mark(audit.ok)} ${audit.records} records, one unbroken chain from the first to the last`,
    `    ${mark(audit.endChecked)} its end is signed: nothing was cut off`,
    ...(audit.last ? [`    ${dim(`record ${audit.last.seq}`)}  ${audit.last.hash}`] : []),
    '',
    problems.length === 0 ? green('Everything is as it should be.') : red('Not as it should be:'),
    ...problems.map((problem) => `  ${red('✗')} ${problem}`),
    '',
  ].join('\n');
}

function askedLines({ message, intent, trace: told }: Asked): readonly string[] {
  return [
    bold('One thing, asked for by a person'),
    dim(`a token for the intent ${intent}: this one post, published once, within five minutes`),
    '',
    `    dana: “${message}”`,
    ...told.timeline.slice(1).map((event) => {
      const text = lineOf(event);
      const paint = event.outcome === 'refused' ? red : event.outcome === undefined ? dim : green;
      return `    ${dim(event.at.slice(11, 23))}  ${pad(paint(text), 66)} ${[event.subject, ...(event.actors ?? [])].join(' via ')}`;
    }),
  ];
}

function stepLines({ step, calls, seen, span, problems }: Played, number: number): readonly string[] {
  const times = calls > 1 ? dim(` (${calls} calls)`) : '';
  const said = seen.outcome === 'answered' ? [] : [`      ${dim('told')} ${firstLines(seen.text)}`];
  return [
    `${dim(String(number).padStart(2))}  the agent ${step.says}${times}`,
    ...(span === undefined ? [`    ${red('no record')}`] : spanLines(span, '    ')),
    ...said,
    ...problems.map((problem) => `      ${red('✗')} ${problem}`),
  ];
}

function spanLines({ record, children }: Span, indent: string): readonly string[] {
  const who = [record.subject ?? 'unknown', ...actorsOf(record).map((actor) => `via ${actor}`)].join(' ');
  const decision = auditOutcome(record);
  const text = record.reason === undefined ? decision : `${decision}: ${record.reason} at ${record.stage}`;
  const paint = decision === 'answered' ? green : decision === 'refused' ? red : yellow;
  const line = [
    pad(`${indent}${record.tool}`, 40),
    pad(who, 28),
    pad(paint(text), 40),
    `${record.durationMs} ms`.padStart(7),
  ].join(' ');
  return [
    `${line}  ${dim(`${record.traceId.slice(0, 8)} #${record.seq}`)}`,
    ...children.flatMap((child) => spanLines(child, `${indent}└─ `)),
  ];
}

function firstLines(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ');
  return flat.length > 110 ? `${flat.slice(0, 109)}…` : flat;
}

function pad(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - stripVTControlCharacters(text).length));
}

function mark(isWell: boolean): string {
  return isWell ? green('✓') : red('✗');
}

function bold(text: string): string {
  return styleText('bold', text);
}
function dim(text: string): string {
  return styleText('dim', text);
}
function green(text: string): string {
  return styleText('green', text);
}
function red(text: string): string {
  return styleText('red', text);
}
function yellow(text: string): string {
  return styleText('yellow', text);
}
