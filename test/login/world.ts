import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  adminCall,
  dataPaths,
  type GatewayConfig,
  loadConfig,
  mintCredential,
  type RunningGateway,
  startGateway,
  writeCredentialFile,
} from '@sallyport/gateway';
import { type Principal, service } from '@sallyport/kit';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { z } from 'zod';
import { type Arrival, Browser, type Page } from './browser.ts';

/** A gateway that people sign in at, with one service of the kit behind. */
export interface World {
  readonly gateway: RunningGateway;
  readonly config: GatewayConfig;
  /** The folder of configuration and data. */
  readonly folder: string;
  readonly origin: string;
  readonly mcp: URL;
  /** Whom calls came from, as the service was told. */
  readonly seen: Principal[];
  /** Everything that was logged, at the lowest level. */
  logged(): string;
  /** Does an administrative operation. */
  operate(operation: string, args?: JsonObject): Promise<JsonObject>;
  /** Makes a user who may allow what is given. */
  addUser(name: string, scopes?: readonly string[]): Promise<void>;
  browser(): Browser;
  /** All files of its data, as bytes. */
  stored(): string;
  close(): Promise<void>;
}

// What the service says is for nobody here.
process.env.SALLYPORT_LOG_LEVEL ??= 'error';

/** The password of everybody here. */
export const password = 'correct horse battery';

/** An internet of its own: what strangers' names stand for, and what is there. */
export interface Internet {
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly answer: RequestListener;
}

interface Surroundings {
  readonly more?: JsonObject;
  readonly internet?: Internet;
  /** Hash passwords with little work. Default: true. */
  readonly cheapPasswords?: boolean;
}

/** Opens one. `server` is what stands under `auth.server`; `more` is laid over the configuration. */
export async function openWorld(
  server: JsonObject | undefined,
  { more = {}, internet, cheapPasswords = true }: Surroundings = {},
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-login-'));
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const credentialFile = join(folder, 'posts.json');
  writeCredentialFile(credentialFile, mintCredential('posts'));
  const socket = `unix:${join(folder, 'posts.sock')}`;
  const seen: Principal[] = [];
  const posts = createPosts(seen);
  await posts.listen({ listen: socket, credentialFile, signals: false });
  closers.push(() => posts.close());

  const file = join(folder, 'sallyport.yaml');
  const { auth, ...rest } = more;
  const always = { version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 } };
  const services = { posts: { address: socket, credential: credentialFile } };
  const ways = { ...(server && { server }), ...(auth as JsonObject | undefined) };
  writeFileSync(file, JSON.stringify({ ...always, services, auth: ways, ...rest }));
  const { config } = await loadConfig(file);
  const log = new PassThrough();
  const lines: string[] = [];
  log.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  const options = {
    log: pino({ level: 'trace' }, log),
    ...(cheapPasswords && { passwordCost: { ln: 10, r: 8, p: 1 } }),
    ...(internet && { egress: await openInternet(internet, closers) }),
  };
  const gateway = await startGateway({ config, ...options });
  closers.push(() => gateway.close());
  await gateway.ready();
  const origin = new URL(gateway.mcpUrl).origin;
  const operate = async (operation: string, args: JsonObject = {}) =>
    (await adminCall({ socketPath: dataPaths(config.data).adminSocket }, operation, { args })) as JsonObject;
  return {
    ...{ gateway, config, folder, origin, seen, operate },
    mcp: new URL(gateway.mcpUrl),
    logged: () => lines.join(''),
    addUser: async (name, scopes = ['posts:*']) =>
      void (await operate('users.add', { name, password, scopes: [...scopes] })),
    browser: () => new Browser(origin),
    stored: () =>
      readdirSync(config.data)
        .filter((name) => name.includes('.db'))
        .map((name) => readFileSync(join(config.data, name)).toString('latin1'))
        .join(''),
    async close() {
      for (const closer of closers.splice(0).reverse()) await closer();
    },
  };
}

async function openInternet({ names, answer }: Internet, closers: (() => unknown)[]) {
  const http = createServer(answer);
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => http.closeAllConnections(),
    () => new Promise((resolve) => void http.close(resolve)),
  );
  const { port } = http.address() as AddressInfo;
  return {
    resolve: async (hostname: string) => names[hostname] ?? [],
    connect: () =>
      new Promise<Socket>((resolve, reject) => {
        const opened = connect({ host: '127.0.0.1', port });
        opened.once('connect', () => resolve(opened)).once('error', reject);
      }),
  };
}

function createPosts(seen: Principal[]) {
  const posts = service('posts', { version: '1.0.0' });
  const note = (_: unknown, { principal }: { readonly principal: Principal }) => {
    seen.push(principal);
    return { subject: principal.subject, client: principal.client };
  };
  const input = z.looseObject({});
  posts.tool(
    'Post.List',
    { title: 'List posts', description: 'Lists.', scopes: ['posts:read'], sideEffect: 'read', input },
    note,
  );
  posts.tool(
    'Post.Publish',
    { title: 'Publish a post', description: 'Publishes.', scopes: ['posts:write'], sideEffect: 'write', input },
    note,
  );
  posts.tool(
    'Post.Delete',
    { title: 'Delete a post', description: 'Deletes.', scopes: ['posts:delete'], sideEffect: 'destructive', input },
    note,
  );
  return posts;
}

/** The page that was arrived at. */
export function pageOf(arrival: Arrival): Page {
  if ('page' in arrival) return arrival.page;
  throw new Error(`left for ${arrival.left.href}`);
}

/** The address that was left for. */
export function leftFor(arrival: Arrival): URL {
  if ('left' in arrival) return arrival.left;
  throw new Error(`still here: ${arrival.page.status} ${arrival.page.html}`);
}

/** Signs in and allows what is asked for. Returns where the browser was sent then. */
export async function allow(browser: Browser, url: string | URL, name = 'ada'): Promise<URL> {
  const login = pageOf(await browser.open(url));
  const consent = pageOf(await browser.submit(login, 'login', { name, password }));
  return leftFor(await browser.submit(consent, 'consent'));
}
