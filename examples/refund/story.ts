/*
 * The story of the refunds: what one may do alone, what takes a second person, and what happens to an agent that was turned.
 * `npm start -- --story refund` at the top of the repository; `--json` prints it for programs. Ends with 1 if anything is not as
 * it should be.
 */

import { startDesk } from './story/desk.ts';
import { playRefunds } from './story/play.ts';
import { told } from './story/told.ts';

const json = process.argv.includes('--json');
process.stderr.write('Starting payments behind a gateway …\n');
const desk = await startDesk();
try {
  const story = await playRefunds(desk);
  const ok = story.steps.every((step) => step.ok);
  process.stdout.write(json ? `${JSON.stringify({ ok, ...story })}\n` : told(story));
  process.exitCode = ok ? 0 : 1;
} finally {
  await desk.close();
}
