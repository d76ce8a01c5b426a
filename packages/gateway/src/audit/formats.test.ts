import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExportFormat, exportFormats, formatRow } from './formats.ts';
import type { AuditRow } from './reader.ts';
import { answered, anyRecord, anyText, stranger } from './record.fuzz.ts';
import { recordText } from './row.ts';

const source = { origin: 'sallyport/audit/1', host: 'gate', version: '1.2.3' };
const rowOf = (record: Parameters<typeof recordText>[0], seq = 7): AuditRow => ({
  seq,
  record: JSON.parse(recordText(record)),
  hash: 'ab'.repeat(32),
  sealed: Buffer.from([1, 2, 3]),
});
const refused = rowOf(
  answered({ outcome: 'refused', code: 'permission_denied', reason: 'policy_denied', stage: 'authorize' }),
);

describe('a record for other programs', () => {
  it('is one line in every format, whatever its words, names itself for good, and holds no arguments', () => {
    fc.assert(
      fc.property(anyRecord, anyText, fc.constantFrom(...exportFormats), (record, text, format) => {
        const line = formatRow(rowOf(record), format, { ...source, host: text });
        expect(line.endsWith('\n')).toBe(true);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
        expect(line.slice(0, -1)).not.toMatch(format === 'ndjson' ? /[\x00-\x1f]/ : /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        if (format !== 'ndjson')
          expect(line).toContain(format === 'cef' || format === 'syslog' ? '/audit/1#7' : 'sallyport/audit/1#7');
      }),
    );
  });

  it('is a valid event of OCSF: class, time, severity, who and what', () => {
    expect(JSON.parse(formatRow(refused, 'ocsf', source))).toMatchObject({
      class_uid: 6003,
      type_uid: 600399,
      time: Date.UTC(2027, 0, 2, 3, 4, 5),
      severity_id: 3,
      status_id: 2,
      status_code: 'policy_denied',
      actor: { user: { name: 'ada' }, app_name: 'editor' },
      api: { operation: 'posts.PostService.Create', service: { name: 'posts' } },
      src_endpoint: { ip: '192.0.2.7' },
      metadata: { uid: 'sallyport/audit/1#7', version: '1.3.0' },
    });
  });

  it('is what a collector of OTLP takes, in the trace of the call', () => {
    const { resourceLogs } = JSON.parse(formatRow(refused, 'otlp', source));
    const [logRecord] = resourceLogs[0].scopeLogs[0].logRecords;
    expect(logRecord).toMatchObject({
      timeUnixNano: `${Date.UTC(2027, 0, 2, 3, 4, 5)}000000`,
      severityNumber: 13,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(logRecord.attributes).toContainEqual({ key: 'error.type', value: { stringValue: 'policy_denied' } });
  });

  it('is an event of CEF, with everything escaped that could end a field', () => {
    const line = formatRow(rowOf(answered({ subject: 'a|b=c\\d\ne' })), 'cef', source);
    expect(line).toMatch(/^CEF:0\|Sallyport\|Sallyport\|1\.2\.3\|answered\|invoke answered\|1\|externalId=/);
    expect(line).toContain('suser=a|b\\=c\\\\d e ');
  });

  it('is a message of syslog, with everything escaped that could end its data', () => {
    const line = formatRow(rowOf(answered({ subject: 'x"]\\ <14>1 forged' })), 'syslog', { ...source, host: 'a b' });
    expect(line).toMatch(
      /^<110>1 2027-01-02T03:04:05\.000Z a_b sallyport - invoke \[sallyport@32473 id="sallyport\/audit\/1#7" /,
    );
    expect(line).toContain('subject="x\\"\\]\\\\ <14>1 forged"');
  });

  it('says how grave it is: nothing, a refusal that happens, one to look at, our own failure', () => {
    const gravity = (format: ExportFormat, row: AuditRow) => formatRow(row, format, source);
    expect(gravity('syslog', rowOf(answered()))).toMatch(/^<110>/);
    expect(gravity('syslog', rowOf(answered({ outcome: 'refused', reason: 'rate_limited' })))).toMatch(/^<109>/);
    expect(gravity('syslog', rowOf(stranger()))).toMatch(/^<108>/);
    expect(gravity('syslog', rowOf(answered({ outcome: 'refused', reason: 'internal' })))).toMatch(/^<107>/);
    const counted = rowOf({
      schema: 1,
      kind: 'refusals',
      peer: '192.0.2.9',
      reason: 'credential_invalid',
      count: 40,
      fromMs: 1,
      toMs: 2,
    });
    expect(gravity('cef', counted)).toContain('cnt=40');
  });
});
