import { request } from 'node:http';
import { type Driver, httpLegacy, httpModern, httpSession, mask, type Seen, ws } from '@sallyport/testkit';
import { always, type Case } from './cases.ts';
import { type Caller, manifest } from './lab.ts';
import { isOutOfReach } from './list-is-call.ts';
import { startListening } from './listening.ts';
import { offerCase, requests } from './offer-cases.ts';
import { variantNames } from './offers.ts';
import { send } from './step.ts';
import { fewVariants, fewView, shadow, shadowService, type World } from './world.ts';

const legacy = { 'mcp-protocol-version': '2025-11-25' };

/**
 * Law 6 for sessions: to anybody but its principal, and at any endpoint but its own, a session is as unknown as one that
 * never was: whatever is asked, byte for byte.
 */
export async function sessionsBelong(world: World): Promise<readonly string[]> {
  const owner = httpSession({ url: world.url, token: 'alice' });
  const id = await owner.session();
  if (typeof id !== 'string') return [`alice has no session: ${id.reason}`];
  const violations: string[] = [];
  const none = 'x'.repeat(id.length);
  for (const { caller, path } of [
    { caller: 'star', path: '' },
    { caller: 'bob', path: '' },
    { caller: 'alice', path: '/lab' },
    { caller: 'alice', path: `/views/${fewView}` },
  ] as const) {
    const [theirs, nobodys] = await Promise.all([id, none].map((one) => tryAll(world, { caller, path, id: one })));
    for (const [what, seen] of theirs ?? []) {
      if (seen !== nobodys?.get(what))
        violations.push(`${what} at /mcp${path} tells ${caller} of the session of alice`);
      if (!seen.includes('unknown_session'))
        violations.push(`${what} at /mcp${path} in the session of alice by ${caller}`);
    }
  }
  if ((await owner.ask('ping')).kind !== 'answered') violations.push('the session of alice was ended by somebody else');
  await owner.close();
  return violations;
}

interface Trespass {
  readonly caller: Caller;
  readonly path: string;
  readonly id: string;
}

/** Everything that can be done with the id of a session: what was asked → what came back, with the id left out. */
async function tryAll(world: World, { caller, path, id }: Trespass): Promise<ReadonlyMap<string, string>> {
  const url = endpoint(world, path);
  const headers = { ...legacy, 'mcp-session-id': id };
  const driver = httpLegacy({ url, token: caller, headers });
  const seen = new Map<string, string>();
  const name = path === '/lab' ? 'Tools.Echo' : 'lab.Tools.Echo';
  seen.set('a call', (await driver.call(name, {})).bytes);
  seen.set('a list', (await driver.list()).bytes);
  seen.set('a ping', (await driver.ask('ping')).bytes);
  seen.set('a subscription', (await driver.ask('resources/subscribe', { uri: 'lab+note://Echo' })).bytes);
  seen.set('an answer', (await driver.raw('{"jsonrpc":"2.0","id":"1","result":{}}')).bytes);
  await driver.close();
  for (const method of ['GET', 'DELETE']) {
    const all = { ...headers, authorization: `Bearer ${caller}`, accept: 'text/event-stream' };
    seen.set(method, await plainly(url, method, all));
  }
  return new Map([...seen].map(([what, bytes]) => [what, bytes.replaceAll(id, '<session>')]));
}

function endpoint({ url }: World, path: string): URL {
  return new URL(`${url.pathname}${path}`, url);
}

/** One plain request; what came back, masked. */
function plainly(url: URL, method: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => resolve(mask(`${response.statusCode} ${response.headers['content-type']} ${body}`)));
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** Names of two services of equal length: nothing of the first may be known of, the second is not there. */
const twinServices = [shadow, 'absent'] as const;

const meta = { capabilities: { elicitation: {} } };

/**
 * Law 6 for mounts: where a service is mounted of which a caller may know nothing, there is nothing; the same as where no
 * service is.
 */
export async function mountsTellNothing(world: World, caller: Caller = 'alice'): Promise<readonly string[]> {
  const violations: string[] = [];
  const [there, nowhere] = await Promise.all(twinServices.map((service) => knock(world, service, caller)));
  for (const [what, seen] of there ?? []) {
    if (seen !== nowhere?.get(what)) violations.push(`${what} tells a hidden service from none: ${seen.slice(0, 300)}`);
  }
  return violations;
}

/** Everything one can ask for at a mount: what was asked → what came back, with the name of the service left out. */
async function knock(world: World, service: string, caller: Caller): Promise<ReadonlyMap<string, string>> {
  world.freshLimits();
  const url = endpoint(world, `/${service}`);
  const drivers: readonly Driver[] = [
    httpModern({ url, token: caller }),
    httpLegacy({ url, token: caller }),
    httpSession({ url, token: caller }),
    ws({ url, token: caller }),
  ];
  const seen = new Map<string, string>();
  for (const driver of drivers) {
    for (const [what, asked] of questions(driver)) {
      world.freshLimits();
      seen.set(`${what} over ${driver.name}`, (await asked()).bytes);
    }
    await driver.close();
  }
  for (const path of [`/${service}`, `/${service}/server-card`]) {
    seen.set(
      `GET ${path.replace(service, '')}`,
      await plainly(endpoint(world, path), 'GET', { authorization: `Bearer ${caller}` }),
    );
  }
  return new Map([...seen].map(([what, bytes]) => [what, bytes.replaceAll(service, '<service>')]));
}

function questions(driver: Driver): readonly (readonly [string, () => Promise<Seen>])[] {
  const lists = (['tools', 'prompts', 'resources', 'templates'] as const).map(
    (what) => [`the list of ${what}`, () => driver.list(what)] as const,
  );
  return [
    ...lists,
    ['discovery', () => driver.ask('server/discover')],
    ['a call', () => driver.call('Tools.Echo', {}, meta)],
    ['a prompt', () => driver.ask('prompts/get', { name: 'Echo' })],
    ['a resource', () => driver.ask('resources/read', { uri: 'note://Echo' })],
    [
      'a completion',
      () =>
        driver.ask('completion/complete', {
          ref: { type: 'ref/prompt', name: 'Echo' },
          argument: { name: 'a', value: '' },
        }),
    ],
    ['a method of its own', () => driver.ask('lab/Echo', {})],
    [
      'a task',
      () =>
        driver.ask(
          'tasks/get',
          { taskId: 'x' },
          { capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } },
        ),
    ],
  ];
}

/**
 * Law 6 for listening: that something hidden changed (a prompt of the shadow) is not told, wherever it is listened for; that
 * something else did (the tools of the lab) is.
 */
export async function changesTellNothing(world: World): Promise<readonly string[]> {
  const filter = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
  const before = world.registry.registrations();
  const [lab] = before;
  if (lab === undefined) return ['there is no lab'];
  const violations: string[] = [];
  let change = 0;
  let current = lab;
  for (const path of ['', '/lab', ...twinServices.map((service) => `/${service}`)]) {
    const driver = httpModern({ url: endpoint(world, path), token: 'alice' });
    const listening = await startListening(driver, filter);
    change++;
    world.registry.set([current, shadowService(`${change}`)]);
    const tools = manifest.tools.map((tool) => ({ ...tool, description: `Change ${change}.` }));
    current = { ...lab, manifest: { ...manifest, tools } };
    world.registry.set([current, shadowService(`${change}`)]);
    const wanted = path === '' || path === '/lab' ? 'notifications/tools/list_changed' : '';
    await until(() => wanted === '' || listening.heard.length > 0);
    await listening.leave();
    await driver.close();
    const told = listening.heard.map(({ method }) => String(method)).join();
    if (told !== wanted)
      violations.push(`/mcp${path} tells ${told === '' ? 'nothing' : told} when the tools of the lab changed`);
  }
  world.registry.set(before);
  return violations;
}

/** Waits until something is so: a second at most, and long enough to see that something else is not. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && (turn < 3 || !isSo()); turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Law 5 for views: in a view there is what is in it, and nothing else; called or listed. */
export async function viewsHold(world: World, caller: Caller = 'owner'): Promise<readonly string[]> {
  const driver = httpModern({ url: endpoint(world, `/views/${fewView}`), token: caller });
  const lists = (['tools', 'prompts', 'resources', 'templates'] as const).map((what) => driver.list(what));
  const listed = (await Promise.all(lists)).flatMap(({ result }) => result).map(String);
  const violations = listed
    .filter((name) => !fewVariants.some((variant) => name.includes(variant)))
    .map((name) => `${name} is listed in a view it is not in`);
  const asked = requests
    .filter(({ by }) => by !== 'method')
    .flatMap((one) => variantNames.map((variant) => ({ variant, ...offerCase(one, variant) })));
  const called = ['Echo', 'Limited', 'Secret', 'Absent'].map((variant) => ({ variant, ...toolCase(variant) }));
  for (const { variant, ...one } of [...asked, ...called].filter((each) => each.variant !== 'Slow')) {
    world.freshLimits();
    const isThere = !isOutOfReach(await send(driver, one));
    if (isThere !== fewVariants.includes(variant))
      violations.push(`${one.name} in a view: ${isThere ? '' : 'not '}there`);
  }
  await driver.close();
  return violations;
}

function toolCase(variant: string): Case {
  return { name: variant, tool: `lab.Tools.${variant}`, args: {}, expected: always('answered') };
}
