// A service of the kit with the tools for faults. Words: ledger.
import { setTimeout as sleep } from 'node:timers/promises';
import { service } from '@sallyport/kit';
import { z } from 'zod';
import { openLedger } from './upstream-ledger.ts';
import { given } from './upstream-tools.ts';

const [file = ''] = process.argv.slice(2);
const ledger = openLedger(file);
const kit = service('kit', { version: '1.0.0' });
const input = z.object(given);
const begin = async (nonce: string, ms: number, signal: AbortSignal): Promise<string> => {
  ledger.note(`done ${nonce}`);
  await sleep(ms, undefined, { signal }).catch(() => ledger.note(`cancelled ${nonce}`));
  return nonce;
};

kit.tool('Fault.Echo', { description: 'Gives back what it was given.', sideEffect: 'write', input }, (args, ctx) =>
  begin(args.nonce, args.ms ?? 0, ctx.signal),
);
kit.tool('Fault.Stay', { description: 'Never answers.', sideEffect: 'write', input }, ({ nonce }, ctx) =>
  begin(nonce, 3_600_000, ctx.signal),
);
kit.tool('Fault.Ask', { description: 'Asks the user.', sideEffect: 'write', input }, async ({ nonce }, ctx) => {
  ledger.note(`done ${nonce}`);
  ctx.signal.addEventListener('abort', () => ledger.note(`cancelled ${nonce}`));
  const answer = await ctx.elicit({ message: 'Sure?', schema: z.object({ ok: z.boolean() }) });
  return `${nonce} ${JSON.stringify(answer.action === 'accept' ? answer.content : answer.action)}`;
});
await kit.listen();
