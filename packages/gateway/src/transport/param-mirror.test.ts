import { expect, it } from 'vitest';
import { createParamMirror } from './param-mirror.ts';

it('mirrors the arguments that the schema of a listed tool asks for', () => {
  const mirror = createParamMirror();
  const properties = {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    count: { type: 'integer', 'x-mcp-header': 'Count' },
    gone: { type: 'string', 'x-mcp-header': 'Gone' },
    bad: { type: 'string', 'x-mcp-header': 'Bad: Header' },
    plain: { type: 'string' },
  };
  const args = { region: 'Zürich', count: 3, gone: null, bad: 'x', plain: 'y' };
  expect(mirror.headers({ name: 'a', arguments: args })).toEqual({});
  mirror.learn({ tools: [{ name: 'a', inputSchema: { type: 'object', properties } }] });
  expect(mirror.headers({ name: 'a', arguments: args })).toEqual({
    'mcp-param-Region': '=?base64?WsO8cmljaA==?=',
    'mcp-param-Count': '3',
  });
  expect(mirror.headers({ name: 'b', arguments: args })).toEqual({});
});
