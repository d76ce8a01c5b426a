import { closeSync, createReadStream, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProofVerification, Verification, VerifyOptions } from '@sallyport/gateway';
import { type AdminOptions, configOf } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { parseTime } from '../duration.ts';
import { CliError } from '../exit.ts';
import { auditLogIn, eachLogIn, type LogOptions, trustIn } from './audit-files.ts';

/** Options of `audit verify`. */
export interface VerifyCommandOptions extends LogOptions {
  readonly key?: readonly string[];
  readonly witness?: readonly string[];
}

/** Which rows `audit export --evidence` takes. */
export interface SpanOptions extends LogOptions {
  readonly since?: string;
  readonly until?: string;
}

/** `audit key` */
export async function showKey(options: LogOptions, context: Context): Promise<void> {
  const config = await configOf(options, context);
  const path = await auditLogIn(config, options);
  const [own] = (await trustIn(config, path)).keys ?? [];
  const { auditVerifierKey } = await import('@sallyport/gateway');
  const key = own ?? (await auditVerifierKey(path));
  if (options.json) return printJson(context, { key, isDerived: own !== undefined });
  print(context, key);
  if (own === undefined) say(context, 'The master key is not here: this is what the log says of itself.');
}

/** `audit prove` */
export async function proveCall(callId: string, options: LogOptions, context: Context): Promise<void> {
  const { NotYetSigned, proveCall: prove } = await import('@sallyport/gateway');
  const path = await auditLogIn(await configOf(options, context), options);
  for (let tries = 1; ; tries++) {
    try {
      const proof = await prove(path, callId);
      if (proof !== undefined) return printJson(context, proof);
      throw new CliError('failure', `There is no call ${callId} in the audit log.`, {
        hint: 'Answers name it as `trace_id`, `audit search` in its last column.',
      });
    } catch (error) {
      // The gateway signs five times a second while calls come in.
      if (!(error instanceof NotYetSigned) || tries === 20) throw error;
      await delay(100);
    }
  }
}

/** `audit export --evidence` */
export async function exportEvidence({ since, until, ...options }: SpanOptions, context: Context): Promise<void> {
  const gateway = await import('@sallyport/gateway');
  const path = await auditLogIn(await configOf(options, context), options);
  const span = {
    ...(since !== undefined && { sinceMs: parseTime(since, Date.now()) }),
    ...(until !== undefined && { untilMs: parseTime(until, Date.now()) }),
  };
  for await (const line of gateway.exportEvidence(path, span)) context.stdout.write(line);
}

/** `audit verify` */
export async function verify(file: string | undefined, options: VerifyCommandOptions, context: Context): Promise<void> {
  const given = {
    keys: (options.key ?? []).map((key) => keyIn(key, context)),
    witnesses: (options.witness ?? []).map((name) => existing(resolve(context.cwd, name))),
  };
  if (file === undefined) return verifyOwn(options, given, context);
  const path = existing(resolve(context.cwd, file));
  const start = startOf(path);
  const gateway = await import('@sallyport/gateway');
  if (start.startsWith('SQLite format 3')) return report(await gateway.verifyAudit(path, given), options, context);
  if (given.keys.length === 0) {
    throw new CliError('usage', 'Whose signature do you believe? Give the public key with --key.', {
      hint: 'Whoever runs the gateway gets it from `sallyport audit key`; you should have it from before.',
    });
  }
  if (start.startsWith('{"proof"'))
    return reportProof(gateway.verifyProof(readFileSync(path, 'utf8'), given.keys), options, context);
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  return report(await gateway.verifyEvidence(lines, given), options, context);
}

async function verifyOwn(options: LogOptions, given: Required<VerifyOptions>, context: Context): Promise<void> {
  const { verifyAudit } = await import('@sallyport/gateway');
  const config = await configOf(options, context);
  const logs = await eachLogIn(config, options);
  for (const path of logs) {
    const own = await trustIn(config, path);
    const keys = given.keys.length > 0 ? given.keys : (own.keys ?? []);
    const witnesses = [...new Set([...given.witnesses, ...(own.witnesses ?? [])])];
    if (typeof path !== 'string' && logs.length > 1) say(context, `${path.origin}:`);
    report(await verifyAudit(path, { keys, witnesses }), options, context);
  }
}

function report(
  { ok, rows, expired, findings, ...checked }: Verification,
  { json }: AdminOptions,
  context: Context,
): void {
  if (json) printJson(context, { ok, records: rows, expired, ...checked, findings });
  if (!ok) {
    const lines = findings.map(({ seq, kind, detail }) => `record ${seq}: ${kind}: ${detail}`);
    throw new CliError('failure', `This is not as it was written: ${findings.length} findings in ${rows} records.`, {
      hint: lines.join('\n'),
      facts: { findings },
    });
  }
  if (json) return;
  print(context, `${context.style.green('✓')} ${rows} records, one unbroken chain from the first to the last.`);
  if (expired > 0)
    say(
      context,
      `Of ${expired} only the hashes are left: retention, which is on record and signed for, took the rest.`,
    );
  sayTrust(checked, context);
}

type Trust = Pick<Verification, 'checkpoints' | 'witnessed' | 'isKeyTrusted' | 'handovers'>;

/** What an auditor should know about what was just called right. */
function sayTrust({ checkpoints, witnessed, isKeyTrusted, handovers }: Trust, context: Context): void {
  say(context, `${checkpoints} signed checkpoints and ${witnessed} kept elsewhere agree with it.`);
  if (handovers > 0) {
    const times = handovers === 1 ? 'once' : `${handovers} times`;
    say(context, `To sign, another key took over ${times}; each was vouched for by the one before.`);
  }
  if (!isKeyTrusted)
    say(context, 'The key was found in the log itself: with --key and the one you know you are sure who signed.');
  if (witnessed > 0) return;
  say(
    context,
    'No checkpoint was kept elsewhere: that the end was cut off, or all of it written anew by whoever has the key, is not excluded.',
  );
}

function reportProof(
  { ok, records, checkpoint, findings }: ProofVerification,
  { json }: AdminOptions,
  context: Context,
): void {
  if (json) printJson(context, { ok, checkpoint, records, findings });
  if (!ok) {
    const [first] = findings;
    throw new CliError('failure', `This proves nothing: ${first?.detail ?? 'there is no record in it'}.`, {
      hint: 'A proof verifies with the key that the log had when it was made. Has the key been rotated since, make the proof again.',
      facts: { findings },
    });
  }
  if (json) return;
  const { size = 0, origin = '', timeMs = 0 } = checkpoint ?? {};
  print(
    context,
    `${context.style.green('✓')} ${records.length === 1 ? 'The record is' : `${records.length} records are`} in the log ${origin}, as signed at ${new Date(timeMs).toISOString()} over ${size} records:`,
  );
  for (const record of records) print(context, JSON.stringify(record, undefined, 2));
}

/** A key as text, or a file that holds one. */
function keyIn(given: string, context: Context): string {
  const path = resolve(context.cwd, given);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : given;
}

function existing(path: string): string {
  if (existsSync(path)) return path;
  throw new CliError('usage', `There is no file ${path}.`);
}

function startOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(16);
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}
