import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the story goes as it should, and the audit proves it', { timeout: 60_000 }, async () => {
  const words = ['--conditions=sallyport-source', join(import.meta.dirname, 'story.ts'), '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, words).catch((failed) => failed);
  const story = JSON.parse(stdout);
  expect(story.problems).toEqual([]);
  expect(story).toMatchObject({ ok: true, audit: { ok: true, endChecked: true } });
  expect(story.trace).toMatch(/posts\.PostService\.Publish +answered [^\n]*\n└─ users\.UserService\.Get +answered/);
  const [first] = story.asked.trace.timeline;
  expect(first).toMatchObject({ what: 'message', subject: 'dana', text: story.asked.message });
});
