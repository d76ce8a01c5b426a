import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createLogger, loadConfig, mintCredential, startGateway, writeCredentialFile } from '@sallyport/gateway';
import { serverNames } from './cells.ts';
import { createFirstServer, nothingYet } from './first-server.ts';
import { createSecondHandler } from './second-server.ts';

/** A gateway with one server of each kind behind it. */
export interface MatrixGateway {
  /** Where a service is mounted alone. */
  mount(service: string): URL;
  readonly token: string;
  /** Starts a later version of the service of the kit, with a tool more, beside those that run. */
  releaseKit(): void;
  close(): Promise<void>;
}

const servers = Object.keys(serverNames);

const generous = { rate: 100_000, burst: 100_000 };

/** Starts everything and waits until it is listed. */
export async function startMatrix(): Promise<MatrixGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-matrix-'));
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const credentialFile = join(folder, 'kit.json');
  writeCredentialFile(credentialFile, mintCredential('kit'));
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      listen: { port: 0 },
      admin: { port: 0 },
      announce: { credentials: [{ file: credentialFile }] },
      services: {
        first: { address: await serve(firstListener(), closers) },
        second: { address: await serve(secondListener({ isModernOnly: true }, closers), closers) },
        both: { address: await serve(secondListener({ isModernOnly: false }, closers), closers) },
        stdio: { stdio: [process.execPath, join(import.meta.dirname, 'stdio-server.ts')] },
        apart: { stdio: [process.execPath, join(import.meta.dirname, 'stdio-server.ts')], isolation: 'caller' },
      },
      // These know no tasks: the gateway keeps them.
      tools: Object.fromEntries(
        servers.filter((name) => name !== 'kit').map((name) => [`${name}.echo`, { task: true }]),
      ),
      limits: { presets: { read: generous, write: generous } },
    }),
  );
  const { config } = await loadConfig(file);
  const gateway = await startGateway({ config, log: createLogger({ level: 'error' }) });
  closers.push(() => gateway.close());
  let release = 0;
  const releaseKit = (): void => {
    const kit = fork(join(import.meta.dirname, 'kit-service.ts'), {
      execArgv: ['--conditions=sallyport-source'],
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        MATRIX_RELEASE: String(release++),
        SALLYPORT_HOP: `unix:${config.announce.socket}`,
        SALLYPORT_CREDENTIAL_FILE: credentialFile,
        SALLYPORT_LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    closers.push(() => kit.kill());
  };
  releaseKit();
  await listed(gateway);
  const token = await gateway.mintRunToken('services');
  return { mount: (service) => new URL(`${gateway.mcpUrl}/${service}`), token, releaseKit, close };
}

function listed({ services, onChange }: Awaited<ReturnType<typeof startGateway>>): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const names = services().map(({ name }) => name);
      if (!servers.every((name) => names.includes(name))) return;
      stop();
      resolve();
    };
    const stop = onChange(look);
    look();
  });
}

async function serve(listener: RequestListener, closers: (() => unknown)[]): Promise<string> {
  const http = createServer(listener);
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
}

/** One server for each session, as the examples of the first SDK have it. */
function firstListener(): RequestListener {
  const shared = nothingYet();
  const transports = new Map<string, StreamableHTTPServerTransport>();
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = transports.get(String(id));
    if (known === undefined && id !== undefined) {
      response.writeHead(404).end();
      return;
    }
    const transport =
      known ??
      new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (made) => void transports.set(made, transport),
        onsessionclosed: (ended) => void transports.delete(ended),
      });
    // The SDK's own types disagree about optional members.
    if (known === undefined) await createFirstServer(shared).connect(transport as never);
    await transport.handleRequest(request, response);
  };
}

function secondListener(
  options: Parameters<typeof createSecondHandler>[0],
  closers: (() => unknown)[],
): RequestListener {
  const handler = createSecondHandler(options);
  closers.push(() => handler.close());
  const node = toNodeHandler(handler);
  return (request, response) => void node(request as NodeIncomingMessageLike, response);
}
