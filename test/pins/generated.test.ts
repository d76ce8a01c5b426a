import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reasons } from '@sallyport/core';
import { describe, expect, test } from 'vitest';
import { commandsPage } from '../../scripts/cli-page.ts';
import { errorsPage, exportsOfPackages, readLayers, withBorders } from '../../scripts/docs.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const hint = 'run `npm run docs` and look at the difference';

describe('what is written down is what the code says', () => {
  test('docs/errors.md is the table of refusals', () => {
    expect(read('docs/errors.md'), hint).toBe(errorsPage());
  });

  test('docs/cli.md is what the commands say', { timeout: 60_000 }, () => {
    expect(read('docs/cli.md'), hint).toBe(commandsPage());
  });

  test('every reason has exactly one row in docs/errors.md, and every row is a reason', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason);
    expect(rows.toSorted()).toEqual(Object.keys(reasons).toSorted());
  });

  test('the borders in ARCHITECTURE.md are those of layers.json', () => {
    const page = read('ARCHITECTURE.md');
    expect(page, hint).toBe(withBorders(page, readLayers(root)));
  });

  test('no package exports more or less than is listed in exports.json', () => {
    expect(exportsOfPackages(root), hint).toEqual(JSON.parse(read('test/pins/exports.json')));
  });
});
