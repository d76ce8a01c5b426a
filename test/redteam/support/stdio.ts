import { join } from 'node:path';
import { expect } from 'vitest';
import { askModern } from './clients.ts';
import { startServer, startWorld, type World } from './world.ts';

const program = join(import.meta.dirname, 'hostile-stdio.ts');
const lists = { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };

/** A gateway before a stdio server that does harm in this way when it is called, and a good one. */
export async function startBefore(way: string): Promise<{ readonly world: World; readonly token: string }> {
  const good = await startServer({ eras: ['modern'], lists });
  const world = await startWorld({ evil: { stdio: [process.execPath, program, way] }, good: { address: good.url } });
  return { world, token: await world.mint('a') };
}

/** Has the server flood in this way, and calls the good one as long as it does. */
export async function beFlooded(way: string): Promise<void> {
  const { world, token } = await startBefore(way);
  const target = { url: world.mcp, token };
  const before = world.logged.length;
  const flood = askModern(target, 'tools/call', { name: 'evil.do', arguments: {} });
  let isOver = false;
  let served = 0;
  void flood.finally(() => {
    isOver = true;
  });
  do {
    const { status } = await askModern(target, 'tools/call', { name: 'good.echo', arguments: {} });
    expect(status).toBe(200);
    served++;
  } while (!isOver);
  expect(world.logged.length - before - served).toBeLessThan(300);
  expect((await flood).status).toBe(200);
}
