import type { AuditRow } from './reader.ts';
import { createContractWriter } from './record-contract.ts';
import type { StoredRecord } from './row.ts';

/** How records are written for other programs. */
export const exportFormats = ['ndjson', 'ocsf', 'otlp', 'cef', 'syslog', 'audit-record-contract'] as const;

/** One of them. */
export type ExportFormat = (typeof exportFormats)[number];

/** What every format says of where a record comes from. */
export interface ExportSource {
  /** The log's name in its checkpoints. With the row's number it names the record for good, however often it is sent. */
  readonly origin: string;
  /** The machine, as syslog has it. */
  readonly host: string;
  readonly version: string;
}

/** Writes rows as lines of a format, one after the other: in some, each says which one was before it. */
export function createFormatter(format: ExportFormat): (row: AuditRow, source: ExportSource) => string {
  if (format !== 'audit-record-contract') return (row, source) => formatRow(row, format, source);
  const write = createContractWriter();
  return (row, { origin }) => `${escaped(write(row, origin))}\n`;
}

/** Writes one row as a line of a format, with its line feed. `sealed` parts only go into NDJSON, and stay encrypted there. */
export function formatRow(row: AuditRow, format: ExportFormat, source: ExportSource): string {
  switch (format) {
    case 'ndjson':
      return `${JSON.stringify(ndjson(row))}\n`;
    case 'ocsf':
      return `${jsonLine(ocsf(row, source))}\n`;
    case 'otlp':
      return `${jsonLine(otlp(row, source))}\n`;
    case 'cef':
      return `${cef(row, source)}\n`;
    case 'syslog':
      return `${syslog(row, source)}\n`;
    case 'audit-record-contract':
      return createFormatter(format)(row, source);
  }
}

function ndjson({ seq, hash, record, sealed }: AuditRow): object {
  return { seq, hash, record, ...(sealed && { sealed: Buffer.from(sealed).toString('base64') }) };
}

/** What a record says, in words that all formats share. */
interface Facts {
  readonly id: string;
  readonly timeMs: number;
  readonly what: string;
  readonly outcome: string;
  readonly reason: string | undefined;
  readonly subject: string | undefined;
  readonly peer: string;
  readonly tool: string | undefined;
  readonly count: number;
  /** How grave it is: 0 nothing, 1 a refusal that happens, 2 one that should be looked at, 3 we failed. */
  readonly gravity: 0 | 1 | 2 | 3;
}

const expected = new Set<string | undefined>(['rate_limited', 'invalid_input', 'unknown_tool', 'cancelled', 'timeout']);
const ours = new Set<string | undefined>(['internal', 'audit_unavailable', 'store_unavailable', 'invalid_output']);

function factsOf({ seq, record }: AuditRow, { origin }: ExportSource): Facts {
  const id = `${origin}#${seq}`;
  if (record.kind === 'refusals') {
    const { reason, peer, count, toMs } = record;
    const common = { subject: undefined, tool: undefined, outcome: 'refused' };
    return { ...common, id, timeMs: toMs, what: 'refusals', reason, peer, count, gravity: 2 };
  }
  const { timeMs, verb, kind, outcome, reason, subject, tool } = record;
  const what = kind === 'intent' ? 'intent' : verb;
  return {
    id,
    timeMs,
    what,
    outcome,
    reason,
    subject,
    peer: record.origin.peer,
    tool,
    count: 1,
    gravity: gravityOf(record),
  };
}

function gravityOf({ outcome, reason }: Exclude<StoredRecord, { kind: 'refusals' }>): Facts['gravity'] {
  if (outcome !== 'refused') return 0;
  if (ours.has(reason)) return 3;
  return expected.has(reason) ? 1 : 2;
}

/** OCSF 1.3, class API Activity (6003): what security lakes read. */
function ocsf(row: AuditRow, source: ExportSource): object {
  const facts = factsOf(row, source);
  const { record } = row;
  const call = record.kind === 'refusals' ? undefined : record;
  const severity = [1, 2, 3, 4][facts.gravity] ?? 0;
  return {
    metadata: {
      version: '1.3.0',
      uid: facts.id,
      product: { name: 'Sallyport', vendor_name: 'Sallyport', version: source.version },
      ...(call && { correlation_uid: call.traceId }),
    },
    category_uid: 6,
    class_uid: 6003,
    activity_id: 99,
    activity_name: facts.what,
    type_uid: 600399,
    time: facts.timeMs,
    ...(call && { duration: Math.round(call.durationMs) }),
    ...(facts.count > 1 && { count: facts.count }),
    severity_id: severity,
    status_id: facts.outcome === 'refused' ? 2 : 1,
    status: facts.outcome,
    ...(facts.reason !== undefined && { status_code: facts.reason }),
    actor: {
      user: { name: facts.subject ?? 'unknown', ...(call?.tenant !== undefined && { domain: call.tenant }) },
      ...(call?.client !== undefined && { app_name: call.client }),
      ...(call?.session !== undefined && { session: { uid: call.session } }),
    },
    api: {
      operation: facts.tool ?? facts.what,
      ...(call && { request: { uid: call.callId } }),
      ...(call?.service !== undefined && {
        service: { name: call.service, ...(call.toolVersion && { version: call.toolVersion }) },
      }),
    },
    src_endpoint: { ip: facts.peer },
    unmapped: record,
  };
}

/** One `LogsData` of OTLP in JSON: a line is what a POST to `/v1/logs` of a collector carries. */
function otlp(row: AuditRow, source: ExportSource): object {
  const facts = factsOf(row, source);
  const { record } = row;
  const call = record.kind === 'refusals' ? undefined : record;
  const severity = [9, 10, 13, 17][facts.gravity] ?? 9;
  const attributes = {
    'event.name': `sallyport.audit.${facts.what}`,
    'log.record.uid': facts.id,
    'enduser.id': facts.subject,
    'client.address': facts.peer,
    'gen_ai.tool.name': facts.tool,
    'sallyport.outcome': facts.outcome,
    'error.type': facts.reason,
  };
  return {
    resourceLogs: [
      {
        resource: {
          attributes: attributesOf({
            'service.name': 'sallyport',
            'service.version': source.version,
            'host.name': source.host,
          }),
        },
        scopeLogs: [
          {
            scope: { name: 'sallyport.audit' },
            logRecords: [
              {
                timeUnixNano: `${Math.trunc(facts.timeMs)}000000`,
                severityNumber: severity,
                body: { stringValue: jsonLine(record) },
                attributes: attributesOf(attributes),
                ...(call && { traceId: call.traceId, spanId: call.spanId }),
              },
            ],
          },
        ],
      },
    ],
  };
}

function attributesOf(values: Readonly<Record<string, string | undefined>>): object[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: { stringValue: value } }],
  );
}

/** ArcSight's Common Event Format, version 0. */
function cef(row: AuditRow, source: ExportSource): string {
  const facts = factsOf(row, source);
  const call = row.record.kind === 'refusals' ? undefined : row.record;
  const severity = [1, 4, 6, 8][facts.gravity] ?? 1;
  const name = `${facts.what} ${facts.outcome}${facts.reason === undefined ? '' : `: ${facts.reason}`}`;
  const head = [
    'CEF:0',
    'Sallyport',
    'Sallyport',
    source.version,
    facts.reason ?? facts.outcome,
    name,
    String(severity),
  ];
  const extension = {
    externalId: facts.id,
    rt: String(Math.trunc(facts.timeMs)),
    src: facts.peer,
    suser: facts.subject,
    act: facts.what,
    outcome: facts.outcome,
    reason: facts.reason,
    request: facts.tool,
    requestClientApplication: call?.client,
    cnt: facts.count > 1 ? String(facts.count) : undefined,
    cs1: call?.callId,
    cs1Label: call && 'callId',
    cs2: call?.traceId,
    cs2Label: call && 'traceId',
    cs3: call?.service,
    cs3Label: call?.service && 'service',
    cs4: row.hash,
    cs4Label: 'hash',
  };
  const pairs = Object.entries(extension).flatMap(([key, value]) => (value ? [`${key}=${cefValue(value)}`] : []));
  return `${head.map(cefHead).join('|')}|${pairs.join(' ')}`;
}

function cefHead(text: string): string {
  return oneLine(text).replaceAll('\\', '\\\\').replaceAll('|', '\\|');
}

function cefValue(text: string): string {
  return oneLine(text).replaceAll('\\', '\\\\').replaceAll('=', '\\=');
}

/** RFC 5424: facility 13 (log audit), the facts as structured data, the record itself as the message. */
function syslog(row: AuditRow, source: ExportSource): string {
  const facts = factsOf(row, source);
  const severity = [6, 5, 4, 3][facts.gravity] ?? 6;
  const time = new Date(facts.timeMs).toISOString();
  const values = {
    id: facts.id,
    hash: row.hash,
    outcome: facts.outcome,
    reason: facts.reason,
    subject: facts.subject,
    tool: facts.tool,
  };
  // 32473 is the enterprise number of examples (RFC 5612): the name of the element says whose it is.
  const data = Object.entries(values).flatMap(([name, value]) => (value ? [`${name}="${parameter(value)}"`] : []));
  const head = `<${13 * 8 + severity}>1 ${time} ${header(source.host)} sallyport - ${header(facts.what)}`;
  return `${head} [sallyport@32473 ${data.join(' ')}] ${jsonLine(row.record)}`;
}

/** JSON without the characters that JSON may leave as they are and terminals and line readers may not. */
function jsonLine(value: object): string {
  return escaped(JSON.stringify(value));
}

function escaped(json: string): string {
  return json.replace(/[\x7f-\x9f\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Printable ASCII without spaces, as RFC 5424 §6 wants the fields of the header. */
function header(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, 48) || '-';
}

function parameter(text: string): string {
  return oneLine(text).replace(/["\\\]]/g, '\\$&');
}

/** Whatever somebody called himself, a record is one line, and says nothing to terminals. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.toWellFormed().replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');
}
