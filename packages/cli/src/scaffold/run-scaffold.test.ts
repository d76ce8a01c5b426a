import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli, startCli, temporaryFolder } from '../cli.fixture.ts';
import { templateNames } from './scaffold.ts';

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const firstCall = {
  default: ['tasks.TaskService.Greet', '{"name":"Ada"}', { greeting: 'Hello, Ada!' }],
  crud: ['tasks.TaskService.List', '{}', { items: [] }],
  'read-only': ['tasks.TaskService.Get', '{"id":"scopes"}', { id: 'scopes' }],
} as const;

test.each(templateNames)('a new service from the template %s runs, and its tool answers', async (template) => {
  expect(await cli(['new', 'tasks', '--template', template], { cwd: folder })).toMatchObject({ code: 0 });
  const made = join(folder, 'tasks');
  const run = startCli(['run', '--port', '0', '--admin-port', '0', '--json'], { cwd: made });
  try {
    const { mcp, token } = await run.ready();
    const [tool, input, answer] = firstCall[template];
    const called = await cli(['tools', 'call', tool, input, '--json'], {
      env: { SALLYPORT_URL: mcp, SALLYPORT_TOKEN: token },
    });
    expect(JSON.parse(called.out).result).toMatchObject(answer);
  } finally {
    run.child.kill('SIGTERM');
    expect(await run.ended()).toBe(0);
  }
});

test('what a new service prints to do next works as it is printed', async () => {
  const { out } = await cli(['new', 'tasks', '--template', 'crud'], { cwd: folder });
  expect(out).toContain('npm test');
  const made = join(folder, 'tasks');
  const tested = spawnSync('npm', ['test', '--silent'], { cwd: made, encoding: 'utf8', timeout: 60_000 });
  expect(`${tested.stdout}${tested.stderr}`).toMatch(/pass [1-9]/);
  expect(tested.status).toBe(0);
});
