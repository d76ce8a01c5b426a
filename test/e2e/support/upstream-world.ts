import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { mintCredential, writeCredentialFile } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { startGateway, type TestGateway, writeConfig } from './gateway.ts';
import { isAlive, type Program, startNode, temporaryFolder, until } from './program.ts';
import { countNoted } from './upstream-ledger.ts';

/** Kinds of servers that can be behind a gateway: SDKs of both generations, over HTTP and stdio, and the kit. */
export const upstreamKinds = ['first', 'second', 'stdio-first', 'stdio-second', 'kit'] as const;

/** One of them; also the name of its service. Two more mean no good: `hostile-legacy` and `hostile-modern`. */
export type UpstreamKind = (typeof upstreamKinds)[number] | HostileKind;

type HostileKind = 'hostile-legacy' | 'hostile-modern';

/** A server that can be killed and started again, as often as one likes. */
export interface Upstream {
  readonly kind: UpstreamKind;
  /** Where it listens, over HTTP. */
  readonly address?: string;
  /** Where it notes what it executed. */
  readonly ledger: string;
  /** How its tools are called at its mount. */
  readonly tools: { readonly echo: string; readonly ask: string; readonly stay: string };
  /** Process ids, the oldest first. */
  pids(): readonly number[];
  /** Starts one more; over stdio the gateway does, so this waits until it did. Resolves when it can be reached. */
  start(): Promise<void>;
  /** SIGKILL for the oldest; resolves when it is gone. */
  crash(): Promise<void>;
  /** Over stdio: whether it ends right after each start. */
  bar?(isBarred: boolean): void;
}

/** A gateway in a process of its own, with one server behind it. */
export interface FaultWorld {
  readonly gateway: TestGateway;
  readonly upstream: Upstream;
  /** Where the server is mounted alone. */
  readonly mount: URL;
  readonly token: string;
  /** Starts the gateway again on the same data, at the same port, and waits until the server is listed, unless it is away. */
  restartGateway(isAway?: boolean): Promise<TestGateway>;
}

/** What a world may differ in. */
export interface FaultWorldOptions {
  /** Instances at the start. Only the kit has more than one. Default 1. */
  readonly instances?: number;
  /** More of the configuration; JSON is YAML. */
  readonly config?: JsonObject;
}

const here = import.meta.dirname;
const generous = { rate: 100_000, burst: 100_000 };
const roomy = { presets: { read: generous, write: generous }, denied: generous };
const sdkTools = { echo: 'echo', ask: 'ask', stay: 'stay' } as const;
const kitTools = { echo: 'Fault.Echo', ask: 'Fault.Ask', stay: 'Fault.Stay' } as const;

/** Starts a server of a kind and a gateway before it, and waits until it is listed. */
export async function startFaultWorld(kind: UpstreamKind, options: FaultWorldOptions = {}): Promise<FaultWorld> {
  const { instances = 1, config = {} } = options;
  const folder = temporaryFolder();
  const { upstream, services, announce } = await createUpstream(kind, folder);
  const { limits = {}, ...more } = config;
  const port = await freePort();
  const text = { announce, services, limits: { ...roomy, ...(limits as JsonObject) }, ...more };
  const lines = Object.entries(text).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  const file = writeConfig(folder, `listen: { host: 127.0.0.1, port: ${port} }\n${lines.join('')}`);
  const gateway = await startGateway('serve', file);
  if (kind === 'kit') for (let i = 0; i < instances; i++) await upstream.start();
  await listed(gateway, kind, instances);
  const token = await gateway.mint('load', ['any:use']);
  return {
    ...{ gateway, upstream, token },
    mount: new URL(`${gateway.mcp.href}/${kind}`),
    async restartGateway(isAway = false) {
      const again = await startGateway('serve', file);
      if (!isAway) await listed(again, kind, instances);
      return again;
    },
  };
}

/** Resolves when so many instances are there and well. */
export function listed(gateway: TestGateway, service: string, instances = 1): Promise<number> {
  return until(async () => {
    const found = (await gateway.services()).find(({ name }) => name === service);
    return found?.state === 'ready' && found.instances === instances;
  }, `${service} is listed`);
}

interface Created {
  readonly upstream: Upstream;
  readonly services: JsonObject;
  readonly announce: JsonObject;
}

function createUpstream(kind: UpstreamKind, folder: string): Promise<Created> {
  const ledger = join(folder, 'ledger.txt');
  switch (kind) {
    case 'first':
    case 'second':
      return overHttp(kind, ledger);
    case 'hostile-legacy':
    case 'hostile-modern':
      return ofHostile(kind, ledger);
    case 'stdio-first':
    case 'stdio-second':
      return overStdio(kind, ledger);
    default:
      return ofKit(folder, ledger);
  }
}

async function overHttp(kind: 'first' | 'second', ledger: string): Promise<Created> {
  const program = join(here, `upstream-${kind}.ts`);
  let port = '0';
  const crowd = createCrowd(async () => {
    const one = startNode([program, port, ledger]);
    const url = new URL(await one.firstLine());
    // Once started it is always found at the same place.
    port = url.port;
    return one;
  });
  await crowd.start();
  const address = `http://127.0.0.1:${port}/mcp`;
  return {
    upstream: { kind, ledger, address, tools: sdkTools, ...crowd },
    services: { [kind]: { address } },
    announce: {},
  };
}

async function ofHostile(kind: HostileKind, ledger: string): Promise<Created> {
  const program = join(here, 'upstream-hostile.ts');
  const one = startNode([program, kind.slice('hostile-'.length), ledger]);
  const crowd = createCrowd(() => Promise.reject(new Error('it is started once')), [one]);
  return {
    upstream: { kind, ledger, tools: { ...sdkTools, stay: 'silent' }, ...crowd },
    services: { [kind]: { address: await one.firstLine() } },
    announce: {},
  };
}

async function overStdio(kind: 'stdio-first' | 'stdio-second', ledger: string): Promise<Created> {
  const words = [join(here, 'upstream-stdio.ts'), kind.slice('stdio-'.length), ledger];
  const noted = (): readonly number[] => [...countNoted(ledger, 'pid').keys()].map(Number);
  const pids = (): readonly number[] => noted().filter(isAlive);
  const upstream: Upstream = {
    ...{ kind, ledger, tools: sdkTools, pids },
    async start() {
      await until(() => pids().length > 0, 'it is started again', 45_000);
    },
    async crash() {
      const [pid] = pids();
      if (pid === undefined) return;
      process.kill(pid, 'SIGKILL');
      await until(() => !isAlive(pid), 'it is gone');
    },
    bar(isBarred) {
      if (isBarred) writeFileSync(`${ledger}.barred`, '');
      else rmSync(`${ledger}.barred`);
    },
  };
  return { upstream, services: { [kind]: { stdio: [process.execPath, ...words] } }, announce: {} };
}

async function ofKit(folder: string, ledger: string): Promise<Created> {
  mkdirSync(join(folder, 'keys'));
  const credential = join(folder, 'keys/kit.json');
  writeCredentialFile(credential, mintCredential('kit'));
  const env = { SALLYPORT_HOP: `unix:${join(folder, 'data/hop.sock')}`, SALLYPORT_CREDENTIAL_FILE: credential };
  const crowd = createCrowd(async () => startNode([join(here, 'upstream-kit.ts'), ledger], { cwd: folder, env }));
  return {
    upstream: { kind: 'kit', ledger, tools: kitTools, ...crowd },
    services: {},
    announce: { credentials: [{ file: credential }] },
  };
}

function createCrowd(
  startOne: () => Promise<Program>,
  started: readonly Program[] = [],
): Pick<Upstream, 'pids' | 'start' | 'crash'> {
  const crowd = [...started];
  return {
    pids: () => crowd.map(({ pid }) => pid),
    async start() {
      crowd.push(await startOne());
    },
    async crash() {
      const oldest = crowd.shift();
      oldest?.kill('SIGKILL');
      await oldest?.ended;
    },
  };
}

/** A port that nobody listens on: the gateway that is started again has to be where it was. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
