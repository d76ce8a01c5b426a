// A service that pays back by calling another one.
import { CallError, service, ToolError } from '@sallyport/kit';
import { z } from 'zod';

const orders = service('orders', { version: '1.0.0' });

orders.tool(
  'Orders.Cancel',
  {
    description: 'Cancels an order.',
    scopes: ['orders:cancel'],
    sideEffect: 'write',
    input: z.object({ order: z.string() }),
  },
  async ({ order }, ctx) => {
    try {
      return await ctx.call('payments.Payments.Refund', { order, amount: 240 });
    } catch (error) {
      if (error instanceof CallError) throw new ToolError('failed_precondition', `not paid back: ${error.reason}`);
      throw error;
    }
  },
);
await orders.listen();
