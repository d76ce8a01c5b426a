import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminCall, createLogger, loadConfig, type RunningGateway, startGateway } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import type { StartOptions } from '../../../packages/gateway/src/compose/start.ts';
import type { GuardedServer } from './upstream.ts';

/** A gateway with one service, and everything that a test does with it. */
export interface World {
  readonly gateway: RunningGateway;
  readonly folder: string;
  /** Makes a caller: the account's token. */
  mint(account: string): Promise<string>;
  /** Does an administrative operation. */
  operate(operation: string, args?: JsonObject): Promise<any>;
  /** The owner consents for the gateway itself. Returns the status of the last page. */
  connect(): Promise<number>;
  /** Resolves once the service's tools are listed. */
  listed(): Promise<void>;
  /** Everything that the gateway wrote: its log, and all files of its data folder. */
  written(): string;
  close(): Promise<void>;
}

/** What a world is made of. */
export interface WorldOptions {
  readonly upstream: Pick<GuardedServer, 'url'>;
  readonly credential: JsonObject;
  /** Secrets by name of their files. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly egress?: StartOptions['egress'];
  /** More of the configuration. */
  readonly more?: JsonObject;
}

const service = 'tickets';
const plenty = { rate: 100_000, burst: 100_000 };

/** Starts a gateway before a server. */
export async function startWorld({
  upstream,
  credential,
  secrets = {},
  egress,
  more = {},
}: WorldOptions): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-credentials-'));
  for (const [name, secret] of Object.entries(secrets)) writeFileSync(join(folder, name), secret, { mode: 0o600 });
  const config = {
    version: 1,
    listen: { port: 0 },
    admin: { port: 0 },
    services: { [service]: { address: upstream.url, credential } },
    limits: { denied: plenty, peer: plenty },
    ...more,
  };
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, JSON.stringify(config));
  const loaded = await loadConfig(file);
  let logged = '';
  const destination = {
    write: (line: string) => {
      logged += line;
    },
  };
  const log = createLogger({ level: 'trace', destination });
  const gateway = await startGateway({ config: loaded.config, log, ...(egress && { egress }) });
  const operate = (operation: string, args: JsonObject = {}): Promise<any> =>
    adminCall({ socketPath: gateway.adminSocket }, operation, { args });
  return {
    ...{ gateway, folder, operate },
    async mint(account) {
      const { token } = await operate('tokens.create', { account, kind: 'person', scopes: ['*'] });
      return String(token);
    },
    async connect() {
      const { url } = await operate('credentials.connect', { service });
      return browse(String(url));
    },
    async listed() {
      while ((gateway.toolCounts().get(service) ?? 0) === 0) await sleep(20);
    },
    written() {
      const data = join(folder, '.sallyport');
      const files = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isFile());
      return [logged, ...files.map(({ name }) => readFileSync(join(data, name), 'latin1'))].join('\n');
    },
    async close() {
      await gateway.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a person does with the page that he is asked to open. */
export type Visit = (url: string) => Promise<'accept' | 'decline'>;

/** Agrees. */
export const agree: Visit = async (url) => {
  await browse(url);
  return 'accept';
};

/** Calls the tool as a client that can open pages. Returns its text, or what went wrong. */
export async function callAs(
  { gateway }: World,
  token: string,
  {
    visit,
    args = {},
    legacy = false,
  }: { readonly visit?: Visit; readonly args?: JsonObject; readonly legacy?: boolean } = {},
): Promise<string> {
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    {
      capabilities: visit ? { elicitation: { url: {} } } : {},
      versionNegotiation: { mode: legacy ? 'legacy' : 'auto' },
    },
  );
  if (visit) {
    client.setRequestHandler('elicitation/create', async ({ params }) =>
      'url' in params ? { action: await visit(params.url) } : { action: 'decline' },
    );
  }
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  const mount = new URL(`${gateway.mcpUrl}/${service}`);
  await client.connect(new StreamableHTTPClientTransport(mount, { requestInit }));
  try {
    const { content } = await client.callTool({ name: 'read', arguments: args });
    return (content as readonly { readonly text?: string }[]).map(({ text }) => text).join('');
  } catch (error) {
    const { message, data } = error as { readonly message: string; readonly data?: unknown };
    return `failed: ${message} ${JSON.stringify(data ?? null)}`;
  } finally {
    await client.close();
  }
}

/** A browser: keeps cookies by origin. */
export interface Browser {
  /** Opens a page, presses its button if it has one, and goes wherever that leads. The last answer. */
  visit(url: string): Promise<Response>;
  /** Opens a page and follows nothing. */
  open(url: string, init?: RequestInit): Promise<Response>;
}

/** Opens a browser that nobody used before. */
export function createBrowser(): Browser {
  const jar = new Map<string, Map<string, string>>();
  const open = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const { origin } = new URL(url);
    const own = jar.get(origin) ?? new Map<string, string>();
    jar.set(origin, own);
    const Cookie = [...own].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, ...(Cookie && { Cookie }) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const at = pair.indexOf('=');
      own.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  };
  const follow = async (response: Response, from: string): Promise<Response> => {
    let [now, place] = [response, from];
    for (let hops = 0; hops < 20 && now.headers.has('location'); hops++) {
      place = new URL(now.headers.get('location') ?? '', place).href;
      now = await open(place);
    }
    return now;
  };
  return {
    open,
    async visit(url) {
      const page = await open(url);
      const [, action = ''] = /<form method="post" action="([^"]+)"/.exec(await page.clone().text()) ?? [];
      if (action === '') return page;
      const target = new URL(action, url).href;
      return follow(await open(target, { method: 'POST', headers: { Origin: new URL(url).origin } }), target);
    },
  };
}

/** Goes through all pages in a browser of its own. The status of the last one. */
export async function browse(url: string): Promise<number> {
  return (await createBrowser().visit(url)).status;
}
