import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from './browser.ts';
import { authorizeUrl, newProgram, type Program } from './oauth.ts';
import { leftFor, openWorld, pageOf, password, type World } from './world.ts';

let world: World;
let program: Program;

/** Fresh for each test: guesses of one name do not count for another. */
let ada: string;
let bob: string;
let tests = 0;

beforeAll(async () => {
  world = await openWorld({});
});

beforeEach(async () => {
  tests++;
  ada = `ada${tests}`;
  bob = `bob${tests}`;
  await world.addUser(ada);
  program = await newProgram(world);
});

afterAll(() => world.close());

async function loginPage(browser = world.browser()): Promise<Page> {
  return pageOf(await browser.open(authorizeUrl(world, program)));
}

describe('the login page', () => {
  it('runs nothing, loads nothing, is in no frame and is not kept', async () => {
    const { headers, html, status } = await loginPage();
    expect(status).toBe(200);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self' http:\/\/127\.0\.0\.1:49152; /,
    );
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(html).not.toMatch(/<script|<img|<link|\son\w+=|javascript:|https?:\/\//i);
  });

  it('can be used with a screen reader and without a mouse', async () => {
    const { html } = await loginPage();
    expect(html).toContain('<html lang="en">');
    expect(html).toMatch(/<title>Sign in to Sallyport<\/title>/);
    for (const name of ['name', 'password'])
      expect(html).toMatch(new RegExp(`<label for="${name}">.*<input id="${name}"`));
    expect(html).toContain('autocomplete="username"');
    expect(html).toContain('autocomplete="current-password"');
  });

  it('shows what a client calls itself as text, whatever that is', async () => {
    const name = '<img src=x onerror=alert(1)> & "Co"';
    program = await newProgram(world, { client_name: name });
    const { html } = await loginPage();
    expect(html).not.toContain('<img');
    expect(html).toContain('&#60;img src=x onerror=alert(1)&#62; &#38; &#34;Co&#34;');
  });

  it('puts cookies where no script and no other site gets at them', async () => {
    const browser = world.browser();
    const login = await loginPage(browser);
    await browser.submit(login, 'login', { name: ada, password });
    const texts = [...browser.cookies.values()].map(({ text }) => text.toLowerCase());
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) {
      expect(text).toContain('httponly');
      expect(text).toContain('samesite=lax');
    }
  });

  it('says the same of a wrong password, an unknown name and somebody who is shut out', async () => {
    await world.addUser(bob);
    await world.operate('users.disable', { name: bob });
    const attempts = [
      { name: ada, password: 'a wrong password' },
      { name: 'nobody', password },
      { name: bob, password },
    ];
    const pages: string[] = [];
    for (const attempt of attempts) {
      const browser = world.browser();
      const answer = pageOf(await browser.submit(await loginPage(browser), 'login', attempt));
      expect(answer.status).toBe(401);
      pages.push(answer.html.replace(/interaction\/[\w-]+|value="[^"]*"/g, ''));
    }
    expect(new Set(pages).size).toBe(1);
    expect(pages[0]).toContain('role="alert"');
  });

  it('takes ten wrong guesses of one name and then none for a while, the right one included', async () => {
    const guess = async (name: string, text: string) => {
      const browser = world.browser();
      return browser.submit(await loginPage(browser), 'login', { name, password: text });
    };
    await world.addUser(bob);
    const wrong = await Promise.all(Array.from({ length: 12 }, () => guess(ada.toUpperCase(), 'a wrong password')));
    const statuses = wrong.map((arrival) => pageOf(arrival).status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
    const late = pageOf(await guess(ada, password));
    expect(late.status).toBe(429);
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(pageOf(await guess(bob, password)).html).toContain('Let Test Agent use');
  });

  it('takes any number of right ones', async () => {
    for (let round = 0; round < 12; round++) {
      const browser = world.browser();
      const answer = pageOf(await browser.submit(await loginPage(browser), 'login', { name: ada, password }));
      expect(answer.html).toContain('Let Test Agent use');
    }
  });

  it('can be left', async () => {
    const browser = world.browser();
    const back = leftFor(await browser.submit(await loginPage(browser), 'refuse'));
    expect(back.searchParams.get('error')).toBe('access_denied');
  });
});

describe('forms', () => {
  it.each([
    ['from another site', {}, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from a subdomain', {}, { 'sec-fetch-site': 'same-site' }],
    ['without an origin', {}, { origin: 'null' }],
    ['without proof', { proof: '' }, {}],
    ['with a made-up proof', { proof: 'A'.repeat(43) }, {}],
  ])('%s are refused', async (_, fields, headers) => {
    const browser = world.browser();
    const login = await loginPage(browser);
    const answer = pageOf(await browser.submit(login, 'login', { name: ada, password, ...fields }, headers));
    expect(answer.status).toBe(403);
  });

  it('of one sign-in are worth nothing in another browser', async () => {
    const login = await loginPage();
    const other = world.browser();
    expect(pageOf(await other.submit(login, 'login', { name: ada, password })).status).toBe(400);
    expect(pageOf(await other.open(login.url)).html).toContain('another browser');
  });

  it('of one sign-in are worth nothing in another of the same browser', async () => {
    const browser = world.browser();
    const first = await loginPage(browser);
    const second = await loginPage(browser);
    const proof = first.forms[0]?.fields.find(([name]) => name === 'proof')?.[1] ?? '';
    expect(pageOf(await browser.submit(second, 'login', { name: ada, password, proof })).status).toBe(403);
  });

  it('of consent do not come before the sign-in', async () => {
    const browser = world.browser();
    const login = await loginPage(browser);
    const answer = await browser.submit(login, 'consent', { scope: 'posts:write' });
    expect(pageOf(answer).html).toContain('Sign in to');
  });

  it.each([
    '/oauth/interaction/x',
    '/oauth/interaction/x/login',
    '/oauth/interaction/',
    '/oauth/interaction/x/y/z',
    '/oauth/nothing',
  ])('%s is no page of anybody', async (path) => {
    const response = await fetch(world.origin + path);
    expect([400, 404]).toContain(response.status);
  });

  it('under another host are not served', async () => {
    const { request } = await import('undici');
    const { statusCode } = await request(`${world.origin}/oauth/authorize`, { headers: { host: 'evil.example' } });
    expect(statusCode).toBe(421);
    const document = await request(`${world.origin}/.well-known/oauth-authorization-server/oauth`, {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    });
    expect(await document.body.text()).not.toContain('evil.example');
  });
});

describe('the second factor', () => {
  async function enrolled(name = ada): Promise<TOTP> {
    const { secret } = await world.operate('users.totp', { name });
    return new TOTP({ secret: Secret.fromBase32(String(secret)) });
  }

  async function codePage(browser: ReturnType<World['browser']>): Promise<Page> {
    return pageOf(await browser.submit(await loginPage(browser), 'login', { name: ada, password }));
  }

  it('is asked for after the right password only, and lets in with a code', async () => {
    const totp = await enrolled();
    const browser = world.browser();
    const wrong = pageOf(
      await browser.submit(await loginPage(browser), 'login', { name: ada, password: 'a wrong password' }),
    );
    expect(wrong.html).not.toContain('authenticator');
    const page = await codePage(browser);
    expect(page.html).toContain('authenticator app');
    expect(pageOf(await browser.submit(page, 'code', { code: totp.generate() })).html).toContain('Let Test Agent use');
  });

  it('cannot be left out', async () => {
    await enrolled();
    const browser = world.browser();
    const page = await codePage(browser);
    expect(pageOf(await browser.open(authorizeUrl(world, program))).html).toContain('Sign in to');
    expect(pageOf(await browser.submit(page, 'consent', { scope: 'posts:write' })).html).not.toContain(
      'Let Test Agent',
    );
  });

  it('takes each code once', async () => {
    const totp = await enrolled();
    const code = totp.generate();
    const first = world.browser();
    const second = world.browser();
    const [one, other] = [await codePage(first), await codePage(second)];
    expect(pageOf(await first.submit(one, 'code', { code })).html).toContain('Let Test Agent use');
    expect(pageOf(await second.submit(other, 'code', { code })).status).toBe(401);
  });

  it('takes five wrong codes and then none for a while', async () => {
    const totp = await enrolled();
    const browser = world.browser();
    let page = await codePage(browser);
    const statuses: number[] = [];
    for (const code of ['000000', '111111', 'abcdef', '', '1234567', '222222']) {
      page = pageOf(await browser.submit(page, 'code', { code }));
      statuses.push(page.status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    expect(pageOf(await browser.submit(page, 'code', { code: totp.generate() })).status).toBe(429);
  });

  it.each(['', 'x', 's1.AAAA'])('does not go on from a step that was not taken (%j)', async (step) => {
    const totp = await enrolled();
    const browser = world.browser();
    const page = await codePage(browser);
    expect(pageOf(await browser.submit(page, 'code', { step, code: totp.generate() })).status).toBe(401);
  });

  it('of one sign-in does not carry over to another', async () => {
    const totp = await enrolled();
    const first = world.browser();
    const second = world.browser();
    const taken = (await codePage(first)).forms.flatMap(({ fields }) => fields).find(([name]) => name === 'step')?.[1];
    const page = await codePage(second);
    const answer = await second.submit(page, 'code', { step: taken ?? '', code: totp.generate() });
    expect(pageOf(answer).status).toBe(401);
  });
});

describe('a session', () => {
  it('needs no second password, until its user gets another one', async () => {
    const browser = world.browser();
    await browser.submit(await loginPage(browser), 'login', { name: ada, password });
    expect((await loginPage(browser)).html).toContain('Let Test Agent use');
    await world.operate('users.reset', { name: ada, password: 'another one entirely' });
    expect((await loginPage(browser)).html).toContain('Sign in to');
  });

  it('can be left for somebody else', async () => {
    await world.addUser(bob);
    const browser = world.browser();
    const consent = pageOf(await browser.submit(await loginPage(browser), 'login', { name: ada, password }));
    const again = pageOf(await browser.submit(consent, 'leave'));
    expect(again.html).toContain('Sign in to');
    const other = pageOf(await browser.submit(again, 'login', { name: bob, password }));
    expect(other.html).toContain(`<strong>${bob}</strong>`);
  });

  it('asks again for its own user when a client wants that', async () => {
    const browser = world.browser();
    await browser.submit(await loginPage(browser), 'login', { name: ada, password });
    const page = pageOf(await browser.open(authorizeUrl(world, program, { prompt: 'login' })));
    expect(page.html).toContain(`Signed in as <strong>${ada}</strong>`);
    expect(pageOf(await browser.submit(page, 'login', { password })).html).toContain('Let Test Agent use');
  });

  it('without one, a client that wants no page is told that it needs one', async () => {
    const back = leftFor(await world.browser().open(authorizeUrl(world, program, { prompt: 'none' })));
    expect(back.searchParams.get('error')).toBe('login_required');
  });
});
