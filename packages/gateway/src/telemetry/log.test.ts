import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { createLogger, logFor, wantsColour } from './log.ts';
import { formatLine } from './pretty.ts';

function capture(pretty = false) {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', pretty, destination: { write: (line) => void lines.push(line) } });
  return { lines, log };
}

test('a line is one JSON object with level as a word, time, message and ids', () => {
  const { lines, log } = capture();
  logFor(log, { callId: 'c1', traceId: 't1' }).info({ tool: 'posts.PostService.List' }, 'called');
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 'info',
    msg: 'called',
    callId: 'c1',
    traceId: 't1',
    tool: 'posts.PostService.List',
  });
  expect(JSON.parse(lines[0]!).time).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test('what sits under a secret name is not written, at any of the first three levels', () => {
  const { lines, log } = capture();
  log.info({
    token: 'hunter2',
    a: { authorization: 'hunter2', b: { password: 'hunter2' } },
    headers: { cookie: 'hunter2' },
    argumentsText: 'hunter2',
  });
  expect(lines[0]).not.toContain('hunter2');
  expect(lines[0]).toContain('[secret]');
});

test('an error is written with its cause', () => {
  const { lines, log } = capture();
  log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
  expect(lines[0]).toContain('outer');
  expect(lines[0]).toContain('inner');
});

test('for people a line has time, level, service, message and the rest', () => {
  const { lines, log } = capture(true);
  log.warn({ service: 'posts', port: 80, why: 'x' }, 'listening');
  const plain = stripVTControlCharacters(lines[0]!);
  expect(plain).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}\[posts\] listening port=80 why=x\n$/);
});

test('nothing a stranger sends moves the cursor or the colours', () => {
  const { lines, log } = capture(true);
  log.info({ 'k\u001b': 'a\u001b[2Jb\r\n', service: '\u009bx' }, 'm\u202e\u0007');
  const plain = lines[0]!.trimEnd().replaceAll(/\p{Cc}\[\d+m/gu, '');
  expect(plain).not.toMatch(/[\p{Cc}\u202e]/u);
});

test('what is not a log line passes, made visible', () => {
  expect(formatLine('plain \u001b[31m text\n')).toBe('plain \\u001b[31m text\n');
  expect(formatLine('[1,2]')).toBe('[1,2]\n');
});

test('colour is for terminals where nobody asked for none', () => {
  expect(wantsColour({ isTTY: true }, {})).toBe(true);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  expect(wantsColour({ isTTY: false }, {})).toBe(false);
});
