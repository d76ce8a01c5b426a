import { randomUUID } from 'node:crypto';
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { allow, openWorld, type World } from './world.ts';

let world: World;

afterEach(() => world.close());

const redirectUrl = 'http://127.0.0.1:49152/callback';

/** What a program keeps of its login; it knows nothing beforehand. */
function provider(more: Partial<OAuthClientProvider> = {}): OAuthClientProvider & { sentTo: URL | undefined } {
  const kept: Record<string, unknown> = {};
  const self: OAuthClientProvider & { sentTo: URL | undefined } = {
    sentTo: undefined,
    redirectUrl,
    clientMetadata: {
      client_name: 'Test Agent',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => randomUUID(),
    clientInformation: () => kept.client as never,
    saveClientInformation: (client) => {
      kept.client = client;
    },
    tokens: () => kept.tokens as never,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url) => {
      self.sentTo = url;
    },
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier as string,
    ...more,
  };
  return self;
}

describe('the official client, with nothing set up beforehand', () => {
  it('registers, signs a person in and calls', async () => {
    world = await openWorld({});
    await world.addUser('ada');
    const auth = provider();
    const transport = new StreamableHTTPClientTransport(world.mcp, { authProvider: auth });
    const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await expect(client.connect(transport)).rejects.toThrow();
    const back = await allow(world.browser(), auth.sentTo ?? '');
    expect(back.origin + back.pathname).toBe(redirectUrl);
    await transport.finishAuth(back.searchParams);
    const again = new StreamableHTTPClientTransport(world.mcp, { authProvider: auth });
    await client.connect(again);
    const result = await client.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada' });
    await client.close();
  });
});
