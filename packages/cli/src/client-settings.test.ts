import { expect, test } from 'vitest';
import { clientSettings } from './client-settings.ts';

const settings = clientSettings({
  mcpUrl: 'http://127.0.0.1:3000/mcp',
  token: 'sp_secret',
  bridge: ['/usr/bin/node', '/opt/sallyport/main.js', 'mcp'],
});
const of = (client: string) => settings.find((each) => each.client.startsWith(client))!;

test('Claude Code reads the token from its environment', () => {
  expect(of('Claude Code').json).toEqual({
    mcpServers: {
      sallyport: {
        type: 'http',
        url: 'http://127.0.0.1:3000/mcp',
        headers: { Authorization: `Bearer \${SALLYPORT_TOKEN}` },
      },
    },
  });
});

test('VS Code asks for the token, under the input its settings declare', () => {
  const json = of('VS Code').json as any;
  expect(json.servers.sallyport.headers.Authorization).toBe(`Bearer \${input:${json.inputs[0].id}}`);
  expect(json.inputs[0]).toMatchObject({ type: 'promptString', password: true });
});

test('Cursor reads the token in its own notation', () => {
  expect((of('Cursor').json as any).mcpServers.sallyport.headers.Authorization).toBe(`Bearer \${env:SALLYPORT_TOKEN}`);
});

test('a stdio host gets absolute paths and the token in the environment of the bridge, never in its arguments', () => {
  const { command, args, env } = (of('Claude Desktop').json as any).mcpServers.sallyport;
  expect(command).toBe('/usr/bin/node');
  expect(args).toEqual(['/opt/sallyport/main.js', 'mcp']);
  expect(env).toEqual({ SALLYPORT_URL: 'http://127.0.0.1:3000/mcp', SALLYPORT_TOKEN: 'sp_secret' });
});

test('only settings that say so hold the token', () => {
  for (const each of settings) expect(JSON.stringify(each.json).includes('sp_secret')).toBe(each.holdsToken);
});
