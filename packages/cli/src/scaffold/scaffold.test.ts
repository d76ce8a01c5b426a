import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { linkPackages, temporaryFolder } from '../cli.fixture.ts';
import { scaffold, templateNames } from './scaffold.ts';

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each(templateNames)('the template %s', (template) => {
  test('makes a service whose own tests pass', () => {
    const made = join(folder, 'order-items');
    scaffold({ name: 'order-items', template, folder: made });
    linkPackages(made);
    const args = ['--conditions=sallyport-source', '--test', '--test-reporter=tap'];
    const env = { PATH: process.env.PATH ?? '' };
    const report = execFileSync(process.execPath, args, { cwd: made, env, encoding: 'utf8' });
    expect(report).toMatch(/^# pass [1-9]\d*$/m);
    expect(report).toMatch(/^# fail 0$/m);
  });

  test('leaves no placeholder behind and depends on exact versions', () => {
    const files = scaffold({ name: 'tasks', template, folder });
    for (const file of files) expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/__[a-z]+__/);
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const version of Object.values({ ...dependencies, ...devDependencies }))
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('makes the same kinds of file', () => {
    const files = scaffold({ name: 'tasks', template, folder });
    const expected = [
      '.gitignore',
      'README.md',
      'package.json',
      'sallyport.yaml',
      'src/main.ts',
      'src/service.ts',
      'test/service.test.ts',
    ];
    expect(files).toEqual(expect.arrayContaining(expected));
  });
});

test('a folder with something in it is left alone', () => {
  writeFileSync(join(folder, 'precious.txt'), 'mine');
  expect(() => scaffold({ name: 'tasks', template: 'default', folder })).toThrow('nothing is overwritten');
});

test.each(['Tasks', '9lives', 'a b', '../evil', '', 'trailing-'])('%j cannot be the name of a service', (name) => {
  expect(() => scaffold({ name, template: 'default', folder: join(folder, 'x') })).toThrow('cannot be the name');
});

test.each(['new', 'test', 'store'])('a service may be called %j, whatever that means in code', (name) => {
  scaffold({ name, template: 'crud', folder });
  expect(readFileSync(join(folder, 'src/main.ts'), 'utf8')).toContain(`${name}Service.listen()`);
});
