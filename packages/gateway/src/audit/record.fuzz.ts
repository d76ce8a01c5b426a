import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditRecord, type CallId, type JsonText, type Origin, type Reason, reasons } from '@sallyport/core';
import fc from 'fast-check';
import { pino } from 'pino';
import type { AuditKeys } from './seal.ts';

/** A logger that says nothing. */
export const silent = pino({ level: 'silent' });

/** Keys for one test. */
export function someKeys(): AuditKeys {
  return { argumentHash: randomBytes(32), seal: randomBytes(32), signing: randomBytes(32) };
}

/** A folder of its own for a log, and how to be rid of it. */
export function logFolder(): { readonly path: string; readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  return { folder, path: join(folder, 'audit.db'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** All of them, in order. */
export async function collected<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

const origin: Origin = { transport: 'http', peer: '192.0.2.7', era: 'modern', host: 'localhost:3000' };

/** A call that was answered, with some facts replaced. */
export function answered(changes: Partial<AuditRecord> = {}): AuditRecord {
  const argumentsText = '{"title":"Hello"}' as JsonText;
  return {
    schema: 1,
    kind: 'outcome',
    callId: randomUUID() as CallId,
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    timeMs: Date.UTC(2027, 0, 2, 3, 4, 5),
    durationMs: 7,
    verb: 'invoke',
    origin,
    subject: 'ada',
    client: 'editor',
    method: 'api-token',
    credentialId: 'tok_1',
    tool: 'posts.PostService.Create',
    service: 'posts',
    toolVersion: '1.0.0',
    definitionHash: 'ab'.repeat(32),
    instance: 'posts-1',
    scopesRequired: ['posts:write'],
    policies: ['scopes'],
    policyRevision: 'r1',
    outcome: 'answered',
    toolError: false,
    inputBytes: 379,
    outputBytes: 306,
    argumentsText,
    request: {
      subject: { subject: 'ada', client: 'editor', kind: 'agent', scopes: ['posts:write'], attributes: {} },
      action: 'invoke',
      resource: {
        type: 'tool',
        id: 'posts.PostService.Create',
        service: 'posts',
        definitionHash: 'ab'.repeat(32),
        sideEffect: 'write',
        classification: 'internal',
        risk: 'low',
        internal: false,
      },
      context: { timeMs: 1, transport: 'http', arguments: JSON.parse(argumentsText) },
    },
    ...changes,
  };
}

/** A refusal before authentication. */
export function stranger(peer = '192.0.2.9', reason: Reason = 'credential_invalid', timeMs = 1000): AuditRecord {
  return {
    schema: 1,
    kind: 'outcome',
    callId: randomUUID() as CallId,
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    timeMs,
    durationMs: 0,
    verb: 'invoke',
    origin: { ...origin, peer },
    tool: 'posts.PostService.Create',
    outcome: 'refused',
    code: reasons[reason].code,
    reason,
    stage: 'authenticate',
    inputBytes: 379,
    outputBytes: 0,
    argumentsText: '{"title":"Hello"}' as JsonText,
  };
}

/** Any text a caller could send, lone surrogates and NUL included. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 600 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
);

/** Any record of a known caller, with whatever names it may have chosen. */
export const anyRecord: fc.Arbitrary<AuditRecord> = fc
  .record({
    subject: anyText,
    tool: anyText,
    tenant: anyText,
    callId: fc.uuid().map((id) => id as CallId),
    timeMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    outcome: fc.constantFrom('answered', 'refused', 'suspended', 'intended'),
    reason: fc.constantFrom(...(Object.keys(reasons) as Reason[])),
    argumentsText: fc.json().map((text) => text as JsonText),
  })
  .map((facts) => answered(facts));
