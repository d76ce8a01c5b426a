import { styleText } from 'node:util';
import type { Story } from './play.ts';

/** Prints the story for people. */
export function told({ steps, timeline }: Story): string {
  const failed = steps.filter(({ ok }) => !ok).length;
  return [
    '',
    styleText('bold', 'Money behind a door'),
    '',
    ...steps.flatMap(({ says, ok, seen }) => [
      `  ${ok ? styleText('green', '✓') : styleText('red', '✗')} ${says}`,
      `      ${styleText('dim', seen)}`,
    ]),
    '',
    styleText('bold', 'What the turned agent did, by the audit'),
    ...timeline.map(({ time, what, outcome }) => `    ${styleText('dim', time)}  ${what.padEnd(30)} ${outcome}`),
    '',
    failed === 0
      ? styleText('green', 'Everything is as it should be.')
      : styleText('red', `${failed} steps are not as they should be.`),
    '',
  ].join('\n');
}
