import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { McpService } from '../service.ts';
import { createMcpHttp, type McpHttpOptions } from '../service-http.ts';
import { type FakeHttpOptions, type FakeHttpServer, startFakeHttpServer } from './fake-http-server.ts';

const cleanups: (() => unknown)[] = [];

/** Ends what a test began. */
export async function cleanup(): Promise<void> {
  for (const each of cleanups.splice(0).reverse()) await each();
}

/** Has something ended when the test is over. */
export function atEnd(end: () => unknown): void {
  cleanups.push(end);
}

/** Follows the server at a URL as service `contract`, and waits until it has answered. */
export async function follow(url: string, options: Partial<McpHttpOptions> = {}): Promise<McpService> {
  const log = pino({ level: 'silent' });
  const clientInfo = { name: 'sallyport', version: '0.1.0' };
  const service = createMcpHttp({ service: 'contract', url, clientInfo, log, ...options });
  atEnd(() => service.upstream.close());
  for (let i = 0; i < 1_500 && service.manifest() === undefined; i++) await sleep(10);
  assert(service.manifest(), 'the server never answered');
  return service;
}

/** Starts a fake server and follows it. */
export async function connect(
  server: FakeHttpOptions,
  options: Partial<McpHttpOptions> = {},
): Promise<{ readonly fake: FakeHttpServer; readonly service: McpService }> {
  const fake = await startFakeHttpServer(server);
  atEnd(fake.kill);
  return { fake, service: await follow(fake.url, options) };
}
