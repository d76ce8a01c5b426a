import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, modernWays, textWays, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

const meta =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}';
const message = (method: string, params: string): string =>
  `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${params},${meta}}}`;

/** What two readers may take for two different things: what was decided on and what the service serves must be one. */
const disguises = [
  ['prompts/get', '"name":"lab.Echo","name":"lab.Hidden"'],
  ['prompts/get', '"name":"lab.Echo","Name":"lab.Hidden"'],
  ['prompts/get', '"name":"lab.Echo","arguments":{"a":"1","a":"2"}'],
  ['resources/read', '"uri":"lab+note://Echo","uri":"lab+note://Hidden"'],
  ['resources/read', '"uri":"lab+note://Echo","URI":"lab+note://Hidden"'],
  ['resources/read', '"uri":"lab+note://Echo","\\u0075ri":"lab+note://Hidden"'],
  [
    'completion/complete',
    '"ref":{"type":"ref/prompt","name":"lab.Echo","name":"lab.Hidden"},"argument":{"name":"a","value":""}',
  ],
  ['completion/complete', '"ref":{"type":"ref/prompt","name":"lab.Echo"},"REF":{},"argument":{"name":"a","value":""}'],
  ['tasks/get', '"taskId":"a","taskId":"b"'],
  ['tasks/get', '"taskId":"a","TaskId":"b"'],
  ['tools/call', '"name":"lab.Tools.Asks","requestState":"a","requestState":"b"'],
  ['tools/call', '"name":"lab.Tools.Asks","requestState":"a","RequestState":"b"'],
  ['tools/call', '"name":"lab.Tools.Asks","inputResponses":{"color":{},"color":{}}'],
  ['tools/call', '"name":"lab.Tools.Asks","inputResponses":{},"INPUTRESPONSES":{}'],
  ['subscriptions/listen', '"notifications":{"resourceSubscriptions":[],"resourceSubscriptions":["lab+note://Echo"]}'],
] as const;

const over = modernWays.filter((way) => textWays.some((one) => one === way) && way !== 'ws-message-token');

describe('law 5: the same for what may be read in two ways', () => {
  it.each(disguises)('%s with %s is no request', async (method, params) => {
    for (const way of over) {
      const before = world.departed.length;
      const [, own = ''] = /"(?:name|uri|taskId)":"([^"]+)"/.exec(params) ?? [];
      const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': own };
      const seen = await world.driver(way, 'owner').raw(message(method, params), { headers });
      await world.settled();
      const recorded = world.audit.outcomes().at(-1)?.reason;
      expect({ way, reason: seen.reason, recorded }).toEqual({
        way,
        reason: 'malformed_request',
        recorded: 'malformed_request',
      });
      expect(world.departed.length).toBe(before);
    }
  });

  it.each([
    ['prompts/get', { name: 'lab.Echo' }, 'lab.Scoped'],
    ['resources/read', { uri: 'lab+note://Echo' }, 'lab+note://Scoped'],
    ['tasks/get', { taskId: 'a' }, 'b'],
    ['tasks/cancel', { taskId: 'a' }, 'b'],
  ])('%s does not go by a header that names something else', async (method, params, other) => {
    for (const name of [other, '', '=?base64?!?=']) {
      const before = world.departed.length;
      const seen = await world.driver('http-modern', 'owner').ask(method, params, { headers: { 'mcp-name': name } });
      expect({ name, reason: seen.reason }).toEqual({ name, reason: 'header_mismatch' });
      expect(world.departed.length).toBe(before);
    }
  });
});
