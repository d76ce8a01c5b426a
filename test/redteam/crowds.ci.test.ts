import { afterEach, expect, it } from 'vitest';
import { askModern, connectLegacy } from './support/clients.ts';
import { endAll, startServer, startWorld } from './support/world.ts';

afterEach(endAll);

it('the conversation of one caller with a server does not end since another one began very many', async () => {
  const server = await startServer({
    eras: ['legacy'],
    lists: { tools: [{ name: 'do', inputSchema: { type: 'object' } }] },
  });
  const world = await startWorld({ few: { address: server.url } });
  const modest = { url: world.mcp, token: await world.mint('modest') };
  const greedy = { url: world.mcp, token: await world.mint('greedy') };
  const call = { name: 'few.do', arguments: {} };
  const session = await connectLegacy(modest);
  await session.ask('tools/call', call);
  const id = server.of('tools/call').at(-1)?.headers['mcp-session-id'];
  for (let batch = 0; batch < 22; batch++) {
    const calls = Array.from({ length: 50 }, (_, n) => {
      const capabilities = { experimental: { [`x${batch}-${n}`]: {} } };
      return askModern(greedy, 'tools/call', call, { capabilities });
    });
    await Promise.all(calls);
  }
  await session.ask('tools/call', call);
  expect(server.of('tools/call').at(-1)?.headers['mcp-session-id']).toBe(id);
  const boasting = { experimental: { x: 'y'.repeat(20_000) } };
  expect((await askModern(greedy, 'tools/call', call, { capabilities: boasting })).status).toBe(400);
});
