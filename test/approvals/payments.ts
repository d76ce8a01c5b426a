// A service that pays back, and writes down what it paid in the file LEDGER, so that it can be counted.
import { appendFileSync } from 'node:fs';
import { service } from '@sallyport/kit';
import { z } from 'zod';

const ledger = process.env.LEDGER ?? '/dev/null';
const payments = service('payments', { version: '1.0.0' });

payments.tool(
  'Payments.Refund',
  {
    ...{ description: 'Pays back.', scopes: ['payments:refund'], sideEffect: 'write', classification: 'confidential' },
    input: z.object({ order: z.string(), amount: z.number(), note: z.string().optional() }),
  },
  ({ order, amount }, { principal: { intent } }) => {
    appendFileSync(ledger, `${order} ${amount}\n`);
    return { refunded: amount, ...(intent?.purpose !== undefined && { purpose: intent.purpose }) };
  },
);
await payments.listen();
