import { appendFileSync } from 'node:fs';
import { service, ToolError } from '@sallyport/kit';

/** The service that the upstream contract asks for, on the real kit. Notes every call in the file `CONTRACT_NOTES`. */
const notes = process.env.CONTRACT_NOTES;
const note = (text: string): void => {
  if (notes) appendFileSync(notes, `${text}\n`);
};

const object = { jsonSchema: { type: 'object' } };
const contract = service('contract', { version: '1.0.0', concurrency: 1_024 });

contract.tool('Contract.Echo', { description: 'Echoes.', input: object }, (args) => {
  note(JSON.stringify(args));
  return args;
});
contract.tool('Contract.Fail', { description: 'Fails.', input: object }, () => {
  throw new ToolError('not_found', 'There is no such thing.');
});
contract.tool('Contract.Hang', { description: 'Never answers.', input: object }, (args, { signal }) => {
  note(JSON.stringify(args));
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      note('cancelled');
      reject(new Error('cancelled'));
    });
  });
});
contract.tool('Contract.Large', { description: 'Answers much.', input: object }, (args) =>
  'x'.repeat(Number((args as { size?: number }).size)),
);
contract.tool('Contract.Slow', { description: 'Takes a while.', input: object }, async () => {
  await new Promise((resolve) => {
    setTimeout(resolve, 5 + Math.random() * 20);
  });
  return {};
});
contract.tool('Contract.Progress', { description: 'Tells of progress.', input: object }, (args, ctx) => {
  ctx.progress({ progress: 1 });
  ctx.progress({ progress: 2 });
  return args;
});
await contract.listen();
