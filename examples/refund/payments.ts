import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';

/** The service's own file; `sallyport run` makes the folder for it. */
const folder = process.env.SALLYPORT_DATA ?? join(import.meta.dirname, '.data');
mkdirSync(folder, { recursive: true, mode: 0o700 });
const database = new DatabaseSync(join(folder, 'payments.db'));
database.exec(`PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY, payment TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, at TEXT NOT NULL
  ) STRICT;`);
const insert = database.prepare('INSERT INTO refunds (payment, amount, currency, at) VALUES (?, ?, ?, ?) RETURNING id');
const ofPayment = database.prepare('SELECT id, amount, currency, at FROM refunds WHERE payment = ? ORDER BY id');

const payment = z
  .string()
  .regex(/^pay-[0-9]{1,9}$/)
  .describe('The payment, such as "pay-7".');
const currency = z.string().regex(/^[A-Z]{3}$/);
const refund = z.object({ id: z.int(), amount: z.int(), currency, at: z.iso.datetime() });

const payments = service('payments', { version: '1.0.0', owner: 'team-payments' });

payments.tool(
  'Payments.Refund',
  {
    description: 'Pay a customer back. The money is gone: there is no undoing it.',
    scopes: ['payments:refund'],
    sideEffect: 'write',
    classification: 'confidential',
    input: z.object({
      payment,
      amount: z.int().positive().max(1_000_000).describe('Whole units of the currency.'),
      currency: currency.describe('Such as "EUR".'),
      reason: z.string().max(200).default('').describe('What the customer said.'),
    }),
    output: refund,
    examples: [{ input: { payment: 'pay-7', amount: 80, currency: 'EUR', reason: 'broken on arrival' } }],
  },
  (input, ctx) => {
    const at = new Date().toISOString();
    const row = insert.get(input.payment, input.amount, input.currency, at);
    if (row === undefined) throw new ToolError('internal', 'The refund was not booked.');
    ctx.log.info({ refund: row.id }, 'refunded');
    return { id: Number(row.id), amount: input.amount, currency: input.currency, at };
  },
);

payments.tool(
  'Payments.Refunds',
  {
    description: 'List what was paid back of one payment.',
    scopes: ['payments:read'],
    sideEffect: 'read',
    classification: 'confidential',
    input: z.object({ payment }),
    output: z.object({ refunds: z.array(refund) }),
    examples: [{ input: { payment: 'pay-7' } }],
  },
  (input) => ({ refunds: ofPayment.all(input.payment).map((row) => refund.parse(row)) }),
);

payments.tool(
  'Payments.Statement',
  {
    description: 'Write a statement of all that was paid back, for the month. Takes its time.',
    scopes: ['payments:read'],
    sideEffect: 'read',
    classification: 'confidential',
    input: z.object({}),
    output: z.object({ lines: z.int() }),
  },
  async (_, ctx) => {
    // Ends at once when the call does.
    await delay(20_000, undefined, { signal: ctx.signal });
    return { lines: Number(database.prepare('SELECT count(*) AS lines FROM refunds').get()?.lines) };
  },
);

await payments.listen();
