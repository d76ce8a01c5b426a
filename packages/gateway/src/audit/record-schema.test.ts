import { readFileSync } from 'node:fs';
import type { AuditRecord, CallId, JsonText, RefusalCount } from '@sallyport/core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cell, pack, plainText, readPlainText, unpack } from './entry.ts';
import { ownCells } from './own-record.ts';
import { answered, anyRecord, stranger } from './record.fuzz.ts';
import { recordText } from './row.ts';

interface Member {
  readonly description: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const schema = JSON.parse(read('../../audit-record.schema.json')) as {
  readonly $defs: Record<'call' | 'refusals', { required: string[]; properties: Record<string, Member> }>;
};
const check = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
const { call, refusals } = schema.$defs;

/** A record with every member that there is. */
const whole: Required<Omit<AuditRecord, 'kind'>> & { kind: 'outcome' } = {
  ...(answered() as Required<AuditRecord>),
  kind: 'outcome',
  ...{ parentSpanId: '00f067aa0ba902b7', parentCall: 'a call' as CallId, requestId: '7', environment: 'production' },
  ...{ actor: { subject: 'a', actor: { subject: 'b' } }, session: 's', tenant: 'acme', app: 'desk' },
  intent: { id: 'i', messageDigest: 'd', purpose: 'refund' },
  ...{ operation: 'prompts/get', codeHash: 'sha256:ab', upstreamSpanId: '00f067aa0ba902b7' },
  ...{ sideEffect: 'read', classification: 'internal', toolRisk: 'low', dataCategories: ['health'] },
  ...{ auditRequired: true, effect: 'permit', risk: { score: 5, factors: { effect: 5 } } },
  ...{ obligations: ['notify'], policyErrors: ['p'], shadow: { effect: 'deny', policies: ['p'] }, approval: 'x' },
  ...{ resultType: 'task', code: 'unavailable', reason: 'internal', stage: 'admit', redacted: { jwt: 1 } },
  ...{ outputSealed: true, outputText: '{"content":[]}' as JsonText },
};
const confidential = ['argumentsText', 'outputText', 'request'];
const addedByLog = ['argumentsHash', 'outputHash', 'retention', 'handover'];

describe('the schema of audit records', () => {
  it('has every member that a record can have, and no other', () => {
    const written = JSON.parse(recordText(whole));
    expect(check(written), JSON.stringify(check.errors)).toBe(true);
    const members = Object.keys(written).toSorted();
    expect(members).toEqual(
      Object.keys(call.properties)
        .filter((name) => !addedByLog.includes(name))
        .toSorted(),
    );
    // What the type has and the text does not is confidential: sealed, or there as a hash.
    expect(Object.keys(whole).filter((name) => !members.includes(name))).toEqual(expect.arrayContaining(confidential));
    expect(Object.keys(whole).filter((name) => !members.includes(name))).toHaveLength(confidential.length);
  });

  it('takes every record that can be written', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(check(JSON.parse(recordText(record))), JSON.stringify(check.errors)).toBe(true);
      }),
    );
    const count: RefusalCount = {
      schema: 1,
      kind: 'refusals',
      peer: '*',
      reason: 'internal',
      count: 1,
      fromMs: 1,
      toMs: 2,
    };
    for (const record of [stranger(), count]) {
      expect(check(JSON.parse(recordText(record))), JSON.stringify(check.errors)).toBe(true);
    }
  });

  it('takes what the log writes of itself', () => {
    for (const facts of [{ retention: { through: 1, keys: 0 } }, { handover: 'a note' }]) {
      const [text] = ownCells(1, 'sallyport.retention', facts);
      expect(check(JSON.parse(String(text))), JSON.stringify(check.errors)).toBe(true);
    }
  });

  it('refuses what is none', () => {
    const written = JSON.parse(recordText(whole));
    for (const wrong of [
      {},
      { ...written, schema: 2 },
      { ...written, argumentsText: '{}' },
      { ...written, callId: undefined },
      { ...written, traceId: 'x' },
    ]) {
      expect(check(JSON.parse(JSON.stringify(wrong)))).toBe(false);
    }
  });

  it('is what the documentation says, member by member', () => {
    const text = read('../../../../docs/audit-record.md');
    expect(text).toContain(table(call));
    expect(text).toContain(table(refusals));
  });
});

describe('the sealed part of a record', () => {
  it('holds the request and the arguments, and the answer where that is wanted', () => {
    const sealedOf = (record: AuditRecord) => {
      const cells: Cell[] = [];
      pack(record, cells, () => 'hash');
      return readPlainText(plainText(unpack(cells, 0)) ?? '{}');
    };
    const { outputSealed: _, ...notSealed } = whole;
    expect(sealedOf(whole)).toEqual({
      request: whole.request,
      argumentsText: whole.argumentsText,
      outputText: whole.outputText,
    });
    expect(sealedOf(notSealed)).toEqual({ request: whole.request, argumentsText: whole.argumentsText });
    const { request: _request, argumentsText: _text, ...onlyOutput } = whole;
    expect(sealedOf(onlyOutput)).toEqual({ outputText: whole.outputText });
  });
});

/** As the documentation has it. */
function table({ required, properties }: (typeof schema.$defs)['call']): string {
  const typeOf = ({ type, enum: words, const: only }: Member) =>
    words !== undefined ? words.map((word) => `\`${word}\``).join(' ') : only !== undefined ? `\`${only}\`` : type;
  const rows = Object.entries(properties).map(
    ([name, member]) =>
      `| \`${name}\` | ${typeOf(member)} | ${required.includes(name) ? 'always' : ''} | ${member.description} |`,
  );
  return ['| member | type | | |', '|---|---|---|---|', ...rows].join('\n');
}
