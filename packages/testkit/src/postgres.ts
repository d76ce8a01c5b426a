import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A PostgreSQL server of one test file, with its data and its Unix socket in a temporary folder. */
export interface PostgresServer {
  /** The folder of its Unix socket. */
  readonly socket: string;
  /** On 127.0.0.1. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Makes an empty database and returns its URL, with the password, over the Unix socket. */
  createDatabase(): Promise<string>;
  /** The same database over TCP. */
  overTcp(url: string): string;
  /** Ends the server: `fast` lets nobody finish, `immediate` is a crash. */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
  /** Starts it again, at the same places. */
  start(): Promise<void>;
  /** Stops it from answering without ending it, or lets it go on: connections stay open and nothing comes. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

/** What may differ from a server that is quick and forgets at a power cut. */
export interface PostgresServerOptions {
  /** Settings of `postgresql.conf`, as `fsync: 'on'`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A certificate and its key, PEM: then it speaks TLS with whoever asks for it. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

const programs = findPrograms();

/** Why tests with PostgreSQL are skipped; undefined when they are not. */
export const noPostgres: string | undefined = whyNot();

function whyNot(): string | undefined {
  if (process.env.TESTS_WITHOUT_SERVERS) return 'it runs with vitest.ci.config.ts: other tests start no server';
  if (programs === undefined) return 'PostgreSQL is not installed: no postgres on PATH or in /usr/lib/postgresql';
  return undefined;
}

/** The folder of PostgreSQL's programs: that of the one on PATH, which may be a link, or where Debian puts them. */
function findPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const onPath = spawnSync('sh', ['-c', 'command -v postgres'], { encoding: 'utf8' }).stdout.trim();
  const folders = [
    ...(onPath === '' ? [] : [dirname(realpathSync(onPath))]),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  const needed = ['postgres', 'initdb', 'createdb', 'pg_isready'];
  return folders.find((folder) => needed.every((program) => existsSync(join(folder, program))));
}

/** Starts a server. Skip the test when `noPostgres` says so. @throws Error with the server's own words when it does not start. */
export async function startPostgres({ settings = {}, tls }: PostgresServerOptions = {}): Promise<PostgresServer> {
  if (programs === undefined) throw new Error(noPostgres);
  const place: Place = {
    ...{ programs, folder: mkdtempSync(join(tmpdir(), 'sallyport-pg-')), who: unprivileged() },
    ...{ port: await freePort(), user: 'sallyport', password: randomBytes(12).toString('hex') },
  };
  const { folder, port, user, password } = place;
  initialize(place);
  const withTls = tls === undefined ? {} : layTls(place, tls);
  let running: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    running = await started({
      command: withParent(join(programs, 'postgres'), wordsOf(place, { ...settings, ...withTls })),
      ...{ who: place.who, folder, isReady: () => ask(place, 'pg_isready', '-d', 'postgres') },
    });
  };
  const stop = async (how: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    const ending = running;
    running = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill('SIGCONT');
    ending.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  };
  await start();
  let databases = 0;
  return {
    ...{ socket: folder, port, user, password, start, stop },
    async createDatabase() {
      const name = `test_${databases++}`;
      if (!(await ask(place, 'createdb', name))) throw new Error(`the database ${name} cannot be made`);
      return `postgres://${user}:${password}@localhost:${port}/${name}?host=${encodeURIComponent(folder)}`;
    },
    overTcp: (given) => given.replace(/\?host=.*$/, '').replace('@localhost:', '@127.0.0.1:'),
    freeze: () => signalAll(running?.pid, 'SIGSTOP'),
    thaw: () => signalAll(running?.pid, 'SIGCONT'),
    async close() {
      signalAll(running?.pid, 'SIGCONT');
      await stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly programs: string;
  readonly folder: string;
  readonly who: { readonly uid: number; readonly gid: number } | undefined;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

function initialize({ programs: folderOfPrograms, folder, who, user, password }: Place): void {
  const [data, secret] = [join(folder, 'data'), join(folder, 'password')];
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(secret, password, { mode: 0o600 });
  if (who) for (const path of [folder, data, secret]) chownSync(path, who.uid, who.gid);
  const words = ['-D', data, '-U', user, '-A', 'scram-sha-256', '--pwfile', secret, '-E', 'UTF8', '--locale=C'];
  const { status, stderr } = spawnSync(join(folderOfPrograms, 'initdb'), [...words, '--no-sync'], {
    ...{ ...who, cwd: folder, encoding: 'utf8' },
  });
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
}

function layTls({ folder, who }: Place, tls: NonNullable<PostgresServerOptions['tls']>): Record<string, string> {
  const [certFile, keyFile] = [join(folder, 'tls.pem'), join(folder, 'tls.key')];
  for (const [path, text] of [
    [certFile, tls.cert],
    [keyFile, tls.key],
  ] as const) {
    writeFileSync(path, text, { mode: 0o600 });
    if (who) chownSync(path, who.uid, who.gid);
  }
  return { ssl: 'on', ssl_cert_file: certFile, ssl_key_file: keyFile };
}

function wordsOf({ folder, port }: Place, settings: Readonly<Record<string, string>>): readonly string[] {
  const all = {
    ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: folder },
    ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '60' },
    ...{ shared_buffers: '16MB', autovacuum: 'off', ...settings },
  };
  return ['-D', join(folder, 'data'), ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** Runs one of PostgreSQL's programs against the server; whether it found what it was asked for. */
async function ask(place: Place, program: string, ...words: readonly string[]): Promise<boolean> {
  const where = ['-h', place.folder, '-p', String(place.port), '-U', place.user];
  const env = { PGPASSWORD: place.password };
  const asked = spawn(join(place.programs, program), [...where, ...words], { env, stdio: 'ignore' });
  const [code] = (await once(asked, 'exit')) as [number | null];
  return code === 0;
}

interface Start {
  readonly command: readonly [string, readonly string[]];
  readonly who: { readonly uid: number; readonly gid: number } | undefined;
  readonly folder: string;
  readonly isReady: () => Promise<boolean>;
}

async function started({ command: [program, args], who, folder, isReady }: Start): Promise<ChildProcess> {
  const child = spawn(program, args, { ...who, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = `${words}${chunk.toString()}`.slice(-4_000);
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}: ${words}`);
    if (await isReady()) return child;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** PostgreSQL refuses to run as root: as root it runs as somebody else. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
}

/** Where `setpriv` is there, the server ends with the process that started it, however that ends. */
function withParent(program: string, args: readonly string[]): readonly [string, readonly string[]] {
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'QUIT', program, ...args]] : [program, args];
}

/** Signals the server and the processes it has for its connections. */
function signalAll(pid: number | undefined, signal: 'SIGSTOP' | 'SIGCONT'): void {
  if (pid === undefined) return;
  const children = readdirSync('/proc').filter((name) => {
    const stat = /^\d+$/.test(name) && existsSync(`/proc/${name}/stat`) && readQuietly(`/proc/${name}/stat`);
    return stat && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid);
  });
  for (const each of [pid, ...children.map(Number)]) {
    try {
      process.kill(each, signal);
    } catch {
      // It ended in the meantime.
    }
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
