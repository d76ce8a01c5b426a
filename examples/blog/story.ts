/*
 * The story of the blog, played with a real MCP client against real processes, and held against what the audit says.
 * `npm start -- --story blog` at the top of the repository; `--json` prints it for programs. Ends with 1 if anything differs.
 */
import { fileURLToPath } from 'node:url';
import { startExample } from '@sallyport/example-stage';
import { playIntent } from './story/intent.ts';
import { playStory } from './story/play.ts';
import { timeline } from './story/timeline.ts';

const json = process.argv.includes('--json');
process.stderr.write('Starting three services behind a gateway …\n');
const blog = await startExample(() => fileURLToPath(new URL('sallyport.yaml', import.meta.url)));
try {
  const played = await playStory(blog);
  const asked = await playIntent(blog);
  const published = played.played.find(({ step }) => step.tool === 'posts.PostService.Publish')?.span?.record.callId;
  const trace = published === undefined ? '' : await blog.sallyport('trace', published);
  const story = { ...played, asked, trace, problems: [...played.problems, ...asked.problems] };
  process.stdout.write(json ? `${JSON.stringify({ ok: story.problems.length === 0, ...story })}\n` : timeline(story));
  process.exitCode = story.problems.length === 0 ? 0 : 1;
} finally {
  await blog.close();
}
