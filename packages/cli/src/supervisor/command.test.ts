import { expect, test } from 'vitest';
import { ownRuntime, resolveCommand } from './command.ts';

const source = ownRuntime('file:///x/run.ts', '/opt/node');
const built = ownRuntime('file:///x/run.js', '/opt/node');

test('node is the Node that runs us, with our way of resolving workspaces when we run from source', () => {
  const [binary, ...flags] = resolveCommand(['node', 'users.ts', '--fast'], source);
  expect(binary).toBe('/opt/node');
  expect(flags).toContain('--conditions=sallyport-source');
  expect(flags.slice(-2)).toEqual(['users.ts', '--fast']);
});

test('a built sallyport adds no source condition', () => {
  expect(resolveCommand(['node', 'users.js'], built)).not.toContain('--conditions=sallyport-source');
});

test('every Node service is guarded against outliving us', () => {
  expect(
    resolveCommand(['node', 'x.js'], built).some(
      (word) => word.startsWith('--import=') && word.includes('orphan-guard'),
    ),
  ).toBe(true);
});

test('other programs run as they are, without a shell', () => {
  expect(resolveCommand(['python3', 'x.py', '; rm -rf /'], source)).toEqual(['python3', 'x.py', '; rm -rf /']);
});
