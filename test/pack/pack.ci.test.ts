import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const names = readdirSync(join(root, 'packages')).filter((name) => !manifestOf(name).private);
const folder = mkdtempSync(join(tmpdir(), 'packed-'));

function manifestOf(name: string): { readonly private?: boolean } {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
}

/** Without what this process inherited from npm and vitest: a stranger's shell has none of it. */
function run(command: string, args: readonly string[], cwd: string): string {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VITEST|NODE_ENV)/.test(name));
  return execFileSync(command, args, { cwd, env: Object.fromEntries(kept), encoding: 'utf8', stdio: 'pipe' });
}

beforeAll(() => {
  const archives = names.map((name) => {
    // `prepack` builds; this repository's own .npmrc would keep it from running.
    const args = ['pack', '--ignore-scripts=false', '--pack-destination', folder, '--json', '--loglevel=error'];
    const out = run('npm', args, join(root, 'packages', name));
    return [`@sallyport/${name}`, `file:${join(folder, /[\w.-]+\.tgz/.exec(out)?.[0] ?? '')}`] as const;
  });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies: Object.fromEntries(archives) }),
  );
  run(
    'npm',
    ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    folder,
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('packages as they are published, outside the repository', () => {
  test.each(names)('@sallyport/%s can be imported', (name) => {
    const out = run(
      process.execPath,
      ['-e', `import('@sallyport/${name}').then(() => console.log('imported'))`],
      folder,
    );
    expect(out).toBe('imported\n');
  });

  test.each(names)('@sallyport/%s holds no tests and no sources', (name) => {
    const files = readdirSync(join(folder, 'node_modules/@sallyport', name), { recursive: true, encoding: 'utf8' });
    const code = files.filter((file) => /\.(ts|js)$/.test(file) && !file.includes('node_modules'));
    expect(code.length).toBeGreaterThan(0);
    expect(code.filter((file) => /\.test\.|\.fuzz\.|^src|(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test('their types are whole for a stranger who checks libraries too', () => {
    const imports = names.map((name) => `import * as ${name} from '@sallyport/${name}';`).join('\n');
    writeFileSync(join(folder, 'stranger.ts'), `${imports}\nexport const all = [${names.join(', ')}];\n`);
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2024',
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['stranger.ts'] }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    expect(run(process.execPath, [tsc, '-p', folder], folder)).toBe('');
  });

  test('a service and a gateway run from them, and a call goes through', async () => {
    writeFileSync(
      join(folder, 'tasks.mjs'),
      `import { service } from '@sallyport/kit';
       import { z } from 'zod';
       const tasks = service('tasks', { version: '1.0.0', owner: 'stranger' });
       tasks.tool('TaskService.Create', {
         description: 'Create a task.', scopes: ['tasks:write'], sideEffect: 'write',
         input: z.object({ title: z.string().min(1) }), output: z.object({ id: z.string() }),
       }, ({ title }) => ({ id: 'task-' + title.length }));
       await tasks.listen();`,
    );
    const config = { version: 1, listen: { port: 0 }, admin: { port: 0 } };
    const services = { tasks: { command: ['node', 'tasks.mjs'] } };
    writeFileSync(join(folder, 'sallyport.yaml'), JSON.stringify({ ...config, services }));
    const child = spawn(process.execPath, [join(folder, 'node_modules/.bin/sallyport'), 'run', '--json'], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`it ended with ${code}: ${said}`);
    });
    try {
      const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
      const { mcp, token } = JSON.parse(line);
      const call = (input: object) =>
        fetch(`${mcp}/call`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ tool: 'tasks.TaskService.Create', input }),
        });
      const good = await call({ title: 'four' });
      expect(await good.json()).toMatchObject({ result: { id: 'task-4' } });
      expect((await call({ title: '' })).status).toBe(400);
    } finally {
      ended.catch(() => undefined);
      child.kill('SIGTERM');
      await once(child, 'close');
    }
  });
});
