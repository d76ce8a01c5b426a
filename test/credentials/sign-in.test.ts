import { afterEach, describe, expect, it } from 'vitest';
import { Browser, type Page } from '../login/browser.ts';
import { type AuthorizationServer, startAuthorizationServer } from './support/server.ts';
import { type GuardedServer, startGuardedServer } from './support/upstream.ts';
import { callAs, startWorld, type World } from './support/world.ts';

const password = 'correct horse battery';
const metadataPath = '/.well-known/oauth-protected-resource/mcp';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setting {
  readonly upstream: GuardedServer;
  readonly server: AuthorizationServer;
  readonly world: World;
  /** The page that a user was asked to open. */
  pageFor(account: string): Promise<string>;
  browser(): Browser;
}

/** A gateway at which people sign in, before a service that wants their consent. */
async function prepare(): Promise<Setting> {
  const [upstream, server] = [await startGuardedServer(), await startAuthorizationServer()];
  upstream.documents.set(metadataPath, { resource: upstream.url, authorization_servers: [server.origin] });
  upstream.judge = ({ headers }, method) =>
    method !== 'tools/call' || headers.authorization !== undefined
      ? undefined
      : { status: 401, headers: { 'www-authenticate': 'Bearer' } };
  const world = await startWorld({
    upstream,
    credential: { kind: 'oauth', allow: { loopback: true } },
    more: { auth: { server: {} } },
  });
  closers.push(upstream.close, server.close, world.close);
  await world.listed();
  for (const name of ['alice', 'mallory']) await world.operate('users.add', { name, password, scopes: ['*'] });
  const { origin } = new URL(world.gateway.mcpUrl);
  return {
    ...{ upstream, server, world },
    browser: () => new Browser(origin, server.origin),
    async pageFor(account) {
      let page = '';
      await callAs(world, await world.mint(account), {
        visit: async (url) => {
          page = url;
          return 'decline';
        },
      });
      return page;
    },
  };
}

/** Signs in where the browser was sent to, and agrees to whatever is asked there. */
async function signIn(browser: Browser, url: string, name: string): Promise<Page> {
  let arrival = await browser.open(url);
  for (let step = 0; step < 4 && 'page' in arrival; step++) {
    const { page } = arrival;
    if (!page.url.pathname.startsWith('/oauth/')) return page;
    const isLogin = page.forms.some(({ action }) => action.endsWith('/login'));
    arrival = isLogin ? await browser.submit(page, 'login', { name, password }) : await browser.submit(page, 'consent');
  }
  if (!('page' in arrival)) throw new Error(`left for ${arrival.left.href}`);
  return arrival.page;
}

describe('the page of a consent, where people sign in at the gateway', () => {
  it('is shown to the user who was asked, once he signed in', async () => {
    const { world, browser, pageFor } = await prepare();
    const hers = browser();
    const page = await signIn(hers, await pageFor('alice'), 'alice');
    expect(page.html).toContain('alice');
    const done = await hers.submit(page, '');
    expect('page' in done && [done.page.status, done.page.html.includes('Connected')]).toEqual([200, true]);
    expect((await world.operate('credentials.list')).credentials).toMatchObject([{ subject: 'alice' }]);
  });

  it('is not shown to another user, whoever sent it: nobody can get the use of her consent', async () => {
    const { world, server, browser, pageFor } = await prepare();
    const trap = await pageFor('mallory');
    const hers = browser();
    const page = await signIn(hers, trap, 'alice');
    expect(page.status).toBe(403);
    expect(page.html).toContain('somebody else');
    // Not by sending the form herself, either.
    const forced = await hers.fetch(trap, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: new URL(trap).origin, cookie: cookiesOf(hers) },
    });
    expect(forced.status).toBe(403);
    expect([server.tokenRequests(), (await world.operate('credentials.list')).credentials]).toEqual([[], []]);
  });

  it('is shown to whoever opens it where its user cannot sign in: it says for whom it is', async () => {
    const { browser, pageFor } = await prepare();
    const opened = await browser().open(await pageFor('robot'));
    expect('page' in opened && [opened.page.status, opened.page.html.includes('robot')]).toEqual([200, true]);
  });
});

function cookiesOf({ cookies }: Browser): string {
  return [...cookies].map(([key, { value }]) => `${key.split(' ')[0]}=${value}`).join('; ');
}
