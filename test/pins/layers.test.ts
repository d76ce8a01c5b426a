import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkBudgets } from '../../scripts/budgets.ts';
import { checkLayers } from '../../scripts/layers.ts';

const root = resolve(import.meta.dirname, '../..');
const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

/** A small tree under the real layers.json. */
function plant(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'));
  made.push(folder);
  const dependencies = { '@sallyport/core': '*', '@sallyport/protocol': '*', pino: '*' };
  const all = {
    'layers.json': readFileSync(join(root, 'layers.json'), 'utf8'),
    'package.json': JSON.stringify({ name: 'root', devDependencies: { vitest: '*' } }),
    'packages/protocol/package.json': JSON.stringify({ name: '@sallyport/protocol' }),
    'packages/core/package.json': JSON.stringify({
      name: '@sallyport/core',
      dependencies: { '@sallyport/protocol': '*' },
    }),
    'packages/gateway/package.json': JSON.stringify({ name: '@sallyport/gateway', dependencies }),
    'packages/kit/package.json': JSON.stringify({
      name: '@sallyport/kit',
      dependencies: { '@sallyport/protocol': '*', '@sallyport/gateway': '*' },
    }),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe('the borders', () => {
  test('hold in this repository', () => {
    expect(checkLayers(root)).toEqual([]);
  });

  test('let pass what layers.json allows', () => {
    const folder = plant({
      'packages/core/src/call.ts': "import type { JsonText } from '@sallyport/protocol';\nexport type A = JsonText;",
      'packages/gateway/src/limits/stage.ts':
        "import { GatewayError } from '@sallyport/core';\nimport type { Logger } from 'pino';\nimport { createHash } from 'node:crypto';\nimport { bucket } from './token-bucket.ts';\nexport const all: unknown[] = [GatewayError, createHash, bucket]; export type L = Logger;",
      'packages/gateway/src/limits/token-bucket.ts': 'export const bucket = 1;',
      'packages/gateway/src/compose/stages.ts':
        "import { all } from '../limits/stage.ts';\nexport const now = Date.now; export { all };",
      'packages/gateway/src/index.ts': "export { all } from './compose/stages.ts';",
      'packages/gateway/src/limits/stage.test.ts':
        "import { test } from 'vitest';\nimport '@sallyport/testkit';\ntest(String(Date.now()), () => {});",
      'packages/core/src/a.ts': "import type { B } from './b.ts';\nexport type A = B;",
      'packages/core/src/b.ts': "import type { A } from './a.ts';\nexport type B = A;",
      'packages/core/src/texts.ts': "// import 'node:fs'\nexport const text = `import 'node:fs'; Date.now()`;",
    });
    expect(checkLayers(folder)).toEqual([]);
  });

  const violations: [string, Record<string, string>, RegExp][] = [
    [
      'core importing gateway',
      { 'packages/core/src/x.ts': "import { g } from '@sallyport/gateway';\nexport { g };" },
      /core\/src\/x\.ts:1: core may not import gateway\. Move what both need/,
    ],
    [
      'core importing a type of gateway',
      { 'packages/core/src/x.ts': "\nimport type { G } from '@sallyport/gateway';\nexport type X = G;" },
      /x\.ts:2: core may not import gateway/,
    ],
    [
      'core importing gateway at run time',
      { 'packages/core/src/x.ts': "export const x = () => import('@sallyport/gateway');" },
      /core may not import gateway/,
    ],
    [
      'a type written as an import in core',
      { 'packages/core/src/x.ts': "export type X = import('@sallyport/gateway').G;" },
      /core may not import gateway/,
    ],
    [
      'core using a module of Node',
      { 'packages/core/src/x.ts': "export { readFileSync } from 'node:fs';" },
      /core may not import node:fs: it runs anywhere/,
    ],
    ['core using npm', { 'packages/core/src/x.ts': "import 'pino';" }, /core may not import pino/],
    [
      'protocol importing core',
      { 'packages/protocol/src/x.ts': "import '@sallyport/core';" },
      /protocol may not import core/,
    ],
    [
      'kit importing gateway, though declared',
      { 'packages/kit/src/x.ts': "import '@sallyport/gateway';" },
      /kit may not/,
    ],
    [
      'a package reached from inside',
      { 'packages/gateway/src/limits/x.ts': "import '@sallyport/core/src/permit.ts';" },
      /reaches inside a package/,
    ],
    [
      'a package reached by a relative path',
      { 'packages/gateway/src/limits/x.ts': "import '../../../core/src/permit.ts';" },
      /leaves the package/,
    ],
    [
      'an undeclared npm package',
      { 'packages/gateway/src/limits/x.ts': "import 'left-pad/sub';" },
      /left-pad is not declared\. Add it to the dependencies of packages\/gateway\/package\.json/,
    ],
    [
      'a stage importing another',
      { 'packages/gateway/src/limits/x.ts': "import type { A } from '../authentication/x.ts';\nexport type B = A;" },
      /limits may not import authentication\. Take what you need as a parameter/,
    ],
    [
      'a transport importing a stage type-only',
      { 'packages/gateway/src/transport/x.ts': "export type A = import('../audit/x.ts').A;" },
      /transport may not import audit/,
    ],
    [
      'a worker of another folder',
      {
        'packages/gateway/src/transport/x.ts': "export const url = new URL('../audit/writer.ts', import.meta.url);",
        'packages/gateway/src/audit/writer.ts': 'export {};',
      },
      /transport may not import audit/,
    ],
    [
      'a stage importing compose',
      { 'packages/gateway/src/limits/x.ts': "import '../compose.ts';" },
      /limits may not import compose\.ts/,
    ],
    [
      'admin importing compose',
      { 'packages/gateway/src/admin/x.ts': "import '../compose.ts';" },
      /admin may not import compose\.ts/,
    ],
    [
      'a folder nobody knows',
      { 'packages/gateway/src/utils/x.ts': "import './y.ts';" },
      /utils is not in layers\.json/,
    ],
    [
      'a clock in a stage',
      { 'packages/gateway/src/limits/x.ts': 'export const x = Date.now();' },
      /Date\.now is not for this file\. Take `nowMs/,
    ],
    ['a date of now', { 'packages/core/src/x.ts': 'export const x = new Date();' }, /Date\.now is not for this file/],
    ['chance', { 'packages/kit/src/x.ts': 'export const x = Math.random();' }, /Math\.random is not for this file/],
    [
      'the environment',
      { 'packages/gateway/src/limits/x.ts': 'export const x = process.env.X;' },
      /process\.env is not for this file/,
    ],
    [
      'the environment, taken apart',
      { 'packages/gateway/src/limits/x.ts': 'export const { env } = process;' },
      /process\.env/,
    ],
    [
      'the console',
      { 'packages/gateway/src/limits/x.ts': "console.log('x');" },
      /console is not for this file\. Take a `log/,
    ],
    [
      'a cycle',
      {
        'packages/gateway/src/limits/a.ts': "import { b } from './b.ts';\nexport const a = () => b;",
        'packages/gateway/src/limits/b.ts': "export * from './c.ts';\nexport const b = 1;",
        'packages/gateway/src/limits/c.ts': "import { a } from './a.ts';\nexport const c = a;",
      },
      /imports itself: .*a\.ts → .*b\.ts → .*c\.ts → .*a\.ts\. Move what both need/,
    ],
  ];

  test.each(violations)('refuse %s', (_, files, message) => {
    expect(checkLayers(plant(files))).toEqual([expect.stringMatching(message)]);
  });
});

describe('the budgets', () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => `  let x${i} = ${i};\n\n  // why`).join('\n');

  test('count code, not comments and blank lines', () => {
    const file = `/**\n${' * long\n'.repeat(500)} */\nexport const text = \`\n${'line\n'.repeat(200)}\`;\n`;
    expect(checkBudgets(plant({ 'packages/core/src/x.ts': file }))).toEqual({ over: [], near: [] });
  });

  test('refuse a file that is too long', () => {
    const { over } = checkBudgets(plant({ 'packages/core/src/x.ts': lines(401) }));
    expect(over).toEqual([expect.stringMatching(/x\.ts has 401 lines of code; aim for 250, never more than 400/)]);
  });

  test('refuse a function that is too long, and note one that is getting there', () => {
    const files = {
      'packages/core/src/x.ts': `export function big() {\n${lines(59)}\n}\nexport const near = () => {\n${lines(40)}\n};`,
    };
    const { over, near } = checkBudgets(plant(files));
    expect(over).toEqual([expect.stringMatching(/x\.ts:1: big has 61 lines/)]);
    expect(near).toEqual([expect.stringMatching(/near has 42 lines/)]);
  });

  test('leave long test bodies alone', () => {
    expect(checkBudgets(plant({ 'packages/core/src/x.test.ts': `test('x', () => {\n${lines(100)}\n});` }))).toEqual({
      over: [],
      near: [],
    });
  });
});
