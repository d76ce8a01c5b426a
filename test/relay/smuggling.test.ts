import {
  fakePrincipal,
  fakeRegistry,
  recordingAuditLog,
  smuggledBodies,
  smuggledPairs,
  tokenAuthenticator,
} from '@sallyport/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGateway } from '../../packages/gateway/src/compose/embed.ts';
import { makeWorld, type Way, type World, ways } from '../laws/world.ts';

/** Ways in that take text and read MCP. A token inside of a message that cannot be read is no token. */
const mcpWays = ['http-modern', 'http-legacy', 'ws', 'stdio', 'stdio-bridge'] as const satisfies Way[];
const textWays = ways.filter((way) => way !== 'embedded' && way !== 'hop');

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

describe('what two readers read in two ways', () => {
  it.each(smuggledPairs)('is refused before anything is decided: $name', async ({ text, reason }) => {
    // A line end ends a message of stdio: what comes after it is another.
    const isCut = /[\r\n]/.test(text);
    for (const way of mcpWays.filter((each) => !(isCut && each.startsWith('stdio')))) {
      const departed = world.departed.length;
      const seen = await world.driver(way, 'star').raw(text);
      expect({ way, reason: seen.reason }).toEqual({ way, reason });
      expect(world.departed.length).toBe(departed);
    }
  });
});

describe('a body that is no UTF-8', () => {
  const gateway = createGateway({
    registry: fakeRegistry([]),
    authenticators: [tokenAuthenticator(new Map([['star', fakePrincipal({ subject: 'star' })]]))],
    audit: recordingAuditLog(),
  });
  let url: URL;
  beforeAll(async () => {
    url = await gateway.listen({ port: 0 });
  });
  afterAll(() => gateway.close());

  it.each(smuggledBodies)('is refused, and not repaired: $name', async ({ bytes }) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: 'Bearer star',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: Uint8Array.from(bytes),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32700 } });
  });
});

describe('what is decided on', () => {
  it('is what the service gets, byte for byte, whichever way it comes', async () => {
    const written = fc
      .tuple(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 }), fc.nat(1))
      .map(([value, indent]) => JSON.stringify(value, null, indent).replaceAll('\n', ' '));
    await fc.assert(
      fc.asyncProperty(written, fc.constantFrom(...textWays), async (argumentsText, way) => {
        const departed = world.departed.length;
        const seen = await world.driver(way, 'star').call('lab.Tools.Echo', argumentsText);
        await world.settled();
        const texts = world.departed.slice(departed).map((each) => each.argumentsText);
        expect(texts).toEqual(seen.kind === 'answered' ? [argumentsText] : []);
      }),
      { numRuns: 60 },
    );
  });
});
