import { expect, test } from 'vitest';
import { createPrefixes, formatLogLine } from './log-line.ts';
import { createScreen } from './screen.ts';
import { createStyle, printable, printableJson, printableLine } from './style.ts';
import { table } from './table.ts';

const plain = createStyle({ isTty: false, env: {} });
const coloured = createStyle({ isTty: true, env: { TERM: 'xterm' } });

test.each([
  ['a terminal', { isTty: true, env: { TERM: 'xterm' } }, true],
  ['a pipe', { isTty: false, env: {} }, false],
  ['NO_COLOR', { isTty: true, env: { NO_COLOR: '1' } }, false],
  ['an empty NO_COLOR', { isTty: true, env: { NO_COLOR: '' } }, true],
  ['NO_COLOR over FORCE_COLOR', { isTty: true, env: { NO_COLOR: '1', FORCE_COLOR: '1' } }, false],
  ['FORCE_COLOR on a pipe', { isTty: false, env: { FORCE_COLOR: '1' } }, true],
  ['a dumb terminal', { isTty: true, env: { TERM: 'dumb' } }, false],
])('colour is decided for %s', (_, facts, expected) => {
  expect(createStyle(facts).isColorSupported).toBe(expected);
});

test('a line of JSON becomes a message and its facts; who says it is not said again', () => {
  const line = JSON.stringify({ level: 'info', time: 'x', service: 'posts', msg: 'draft written', post: 'p-1', n: 2 });
  expect(formatLogLine(line, plain, 'posts')).toBe('draft written post=p-1 n=2');
  expect(formatLogLine(line, plain)).toBe('draft written service=posts post=p-1 n=2');
  expect(formatLogLine('{"level":50,"msg":"no","err":{"message":"disk full","stack":"..."}}', plain)).toBe(
    'error no err=disk full',
  );
});

test.each(['plain text', '{not json', '{"a":1}', '[]', ''])('what is no log line stays as it is: %j', (line) => {
  expect(formatLogLine(line, plain)).toBe(line);
});

test('text of services cannot move the cursor, clear the screen or reorder what is read', () => {
  expect(printable('a\u001b[2Jb\rc\u0007d\u202ee\tf')).toBe('abcde\tf');
  expect(formatLogLine('{"level":30,"msg":"x\\u001b[1A","k":"\\u009b2J"}', plain)).toBe('x k=""');
});

test('columns are as wide as what is seen, colours not counted', () => {
  const rows = [
    [coloured.green('ok'), 'a'],
    ['refused', 'b'],
  ];
  const lines = table(['state', 'name'], rows, plain.dim).split('\n');
  expect(lines[0]).toBe('state    name');
  expect(lines[1]).toBe(`${coloured.green('ok')}       a`);
  expect(lines[2]).toBe('refused  b');
});

test('the status line stays under what scrolls, and is not there in a pipe', () => {
  const written: string[] = [];
  const sink = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
  const screen = createScreen(sink(true));
  screen.status('3/3');
  screen.line('hello');
  screen.close();
  expect(written).toEqual(['\r\u001b[2K3/3', '\r\u001b[2Khello\n3/3', '\r\u001b[2K']);
  written.length = 0;
  const pipe = createScreen(sink(false));
  pipe.status('3/3');
  pipe.line('hello');
  expect(written).toEqual(['hello\n']);
});

test('prefixes stand in one column', () => {
  const prefix = createPrefixes(['a', 'longer'], plain);
  expect([prefix('a'), prefix('longer'), prefix('new')]).toEqual(['a      │', 'longer │', 'new    │']);
});

test('text from elsewhere cannot begin a line of its own, nor hide in JSON', () => {
  expect(printableLine('users.Get\n   7  answered  admin')).toBe('users.Get\\n   7  answered  admin');
  expect(printableLine('x'.repeat(1_000))).toHaveLength(201);
  expect(printableJson({ a: 'b\u009b31m\u202ec' })).toBe('{"a":"b\\u009b31m\\u202ec"}');
  expect(JSON.parse(printableJson({ a: 'b\u009b31m\u202ec' }))).toEqual({ a: 'b\u009b31m\u202ec' });
});
