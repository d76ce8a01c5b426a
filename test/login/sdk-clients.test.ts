import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, describe, expect, it } from 'vitest';
import { allow, openWorld, type World } from './world.ts';

let world: World;

afterEach(() => world.close());

const redirectUrl = 'http://127.0.0.1:49152/callback';

/** A program's login: it knows nothing beforehand, and keeps what it is told. */
interface Login extends OAuthClientProvider {
  /** Where it wants the browser to go. */
  readonly sentTo: () => URL;
  readonly kept: Record<string, any>;
}

function createLogin(more: Partial<OAuthClientProvider> = {}): Login {
  const kept: Record<string, any> = {};
  const keep = (name: string) => (value: unknown) => {
    kept[name] = value;
  };
  return {
    kept,
    sentTo: () => kept.url,
    redirectUrl,
    clientMetadata: {
      client_name: 'Test Agent',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => randomUUID(),
    clientInformation: () => kept.client,
    saveClientInformation: keep('client'),
    tokens: () => kept.tokens,
    saveTokens: keep('tokens'),
    redirectToAuthorization: keep('url'),
    saveCodeVerifier: keep('verifier'),
    codeVerifier: () => kept.verifier,
    discoveryState: () => kept.discovery,
    saveDiscoveryState: keep('discovery'),
    ...more,
  };
}

async function connected(login: Login): Promise<Client> {
  const transport = () => new StreamableHTTPClientTransport(world.mcp, { authProvider: login });
  const client = () => new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const first = transport();
  await expect(client().connect(first)).rejects.toThrow();
  await first.finishAuth((await allow(world.browser(), login.sentTo())).searchParams);
  const ready = client();
  await ready.connect(transport());
  return ready;
}

describe('the official client, with nothing set up beforehand', () => {
  it('registers itself, sends its person to sign in, and calls', async () => {
    world = await openWorld({});
    await world.addUser('ada');
    const login = createLogin();
    const client = await connected(login);
    const result = await client.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada', client: login.kept.client.client_id });
    await client.close();
  });

  it('is known by its document instead, where it has one', async () => {
    const id = 'https://agent.example/client.json';
    const answer: RequestListener = (_, response) => {
      const { clientMetadata } = createLogin();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...clientMetadata, client_id: id }));
    };
    world = await openWorld(
      { registration: false },
      { internet: { names: { 'agent.example': ['93.184.216.34'] }, answer } },
    );
    await world.addUser('ada');
    const client = await connected(createLogin({ clientMetadataUrl: id }));
    const result = await client.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada', client: id });
    await client.close();
  });

  it('goes on by itself when its token has ended', async () => {
    world = await openWorld({ accessTokenLife: '1s' });
    await world.addUser('ada');
    const login = createLogin();
    const client = await connected(login);
    const before = login.kept.tokens.refresh_token;
    // Clocks may differ by some seconds.
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    const result = await client.callTool({ name: 'posts.Post.List', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada' });
    expect(login.kept.tokens.refresh_token).not.toBe(before);
    await client.close();
  });

  it('asks its person once more when a call needs more than it has', async () => {
    world = await openWorld({}, { more: { auth: { resource: { scopes: ['posts:read'] } } } });
    await world.addUser('ada');
    const login = createLogin();
    const client = await connected(login);
    expect(login.kept.tokens.scope).toBe('posts:read');
    login.kept.url = undefined;
    await expect(client.callTool({ name: 'posts.Post.Publish', arguments: {} })).rejects.toThrow();
    expect(login.sentTo().searchParams.get('scope')).toContain('posts:write');
    const back = await allow(world.browser(), login.sentTo());
    const transport = new StreamableHTTPClientTransport(world.mcp, { authProvider: login });
    await transport.finishAuth(back.searchParams);
    const again = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await again.connect(new StreamableHTTPClientTransport(world.mcp, { authProvider: login }));
    const result = await again.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada' });
    await again.close();
    await client.close();
  });

  it('of the generation before does the same', async () => {
    world = await openWorld({});
    await world.addUser('ada');
    const login = createLogin();
    const transport = () => new FirstTransport(world.mcp, { authProvider: login as never });
    const first = transport();
    await expect(new FirstClient({ name: 'agent', version: '1' }).connect(first as never)).rejects.toThrow();
    const back = await allow(world.browser(), login.sentTo());
    await first.finishAuth(back.searchParams.get('code') ?? '');
    const client = new FirstClient({ name: 'agent', version: '1' });
    await client.connect(transport() as never);
    const result = await client.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'ada' });
    await client.close();
  });
});
