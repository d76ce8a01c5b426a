import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminCall, loadConfig, startGateway } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { vi } from 'vitest';
import type { ToldRecord } from '../../../packages/gateway/src/audit/index.ts';
import {
  type FakeHttpOptions,
  type FakeHttpServer,
  startFakeHttpServer,
} from '../../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';

const cleanups: (() => unknown)[] = [];

/** Ends what tests began. For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Has something ended with the test. */
export function atEnd(end: () => unknown): void {
  cleanups.push(end);
}

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
export const eventually = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, 15_000);

/** A server that says what a test tells it to. */
export async function startServer(options: FakeHttpOptions): Promise<FakeHttpServer> {
  const server = await startFakeHttpServer(options);
  atEnd(server.kill);
  return server;
}

/** A gateway from a configuration, in this process, on loopback. */
export interface World {
  /** The endpoint of everything. */
  readonly mcp: string;
  /** A token of an account of its own. */
  mint(account: string, scopes?: readonly string[]): Promise<string>;
  readonly records: ToldRecord[];
  /** What it logged: JSON lines. */
  readonly logged: string[];
  close(): Promise<void>;
}

const generous = { rate: 100_000, burst: 100_000 };

/** Starts a gateway before these services, and waits until all are listed, or those that are named. */
export async function startWorld(
  services: JsonObject,
  more: JsonObject = {},
  names: readonly string[] = Object.keys(services),
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-redteam-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'sallyport.yaml');
  const { limits = {}, ...others } = more as { readonly limits?: JsonObject };
  const text = JSON.stringify({
    ...{ version: 1, listen: { port: 0 }, admin: { port: 0 }, services },
    limits: { presets: { read: generous, write: generous }, denied: generous, ...limits },
    ...others,
  });
  writeFileSync(file, text);
  const records: ToldRecord[] = [];
  const logged: string[] = [];
  const { config } = await loadConfig(file);
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const gateway = await startGateway({ config, log, onRecord: (record) => void records.push(record) });
  atEnd(() => gateway.close());
  await eventually(() => {
    const listed = gateway.services().map(({ name }) => name);
    for (const name of names) if (!listed.includes(name)) throw new Error(`${name} is not listed`);
  });
  return {
    ...{ mcp: gateway.mcpUrl, records, logged },
    close: () => gateway.close(),
    async mint(account, scopes = ['*']) {
      const args = { account, scopes, kind: 'agent' };
      const made = await adminCall({ socketPath: gateway.adminSocket }, 'tokens.create', { args });
      return (made as { readonly token: string }).token;
    },
  };
}
