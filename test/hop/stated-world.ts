// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord } from '@sallyport/core';
import { dataPaths, gatewayKeys, loadConfig, type RunningGateway, startGateway } from '@sallyport/gateway';
import { type Principal, type Service, type Statement, service } from '@sallyport/kit';
import { pino } from 'pino';
import { z } from 'zod';
import { createKeyRing, type KeyRing } from '../../packages/gateway/src/assertion/index.ts';
import { createSealer } from '../../packages/gateway/src/secrets/index.ts';
import { openState } from '../../packages/gateway/src/store/index.ts';

const log = pino({ level: 'silent' });
const generous = { rate: 100_000, burst: 100_000 };

/** One request as somebody on the way sees it. */
export interface Tapped {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a handler was told of a call. */
export interface Ran {
  readonly tool: string;
  readonly input: unknown;
  readonly principal: Principal;
  readonly statement: Statement | undefined;
  readonly traceId: string;
}

/**
 * A gateway with three services behind it over plain HTTP, each with somebody on the way who keeps all that passes: `bank` and
 * `vault` believe this gateway alone, `thief` is what nobody should trust.
 */
export interface StatedWorld {
  readonly gateway: RunningGateway;
  readonly origin: string;
  readonly keysUrl: string;
  readonly records: AuditRecord[];
  readonly ran: Ran[];
  /** What passed on the way to a service, calls only. */
  taps(service: string): readonly Tapped[];
  /** Where the service itself listens, past whoever is on the way. */
  portOf(service: string): string;
  /** Calls a tool as an agent does. */
  call(tool: string, input: object, token?: string): Promise<{ readonly status: number; readonly body: any }>;
  token(scopes: readonly string[]): Promise<string>;
  /** Has a call made that never arrives, and gives what it would have been. */
  steal(tool: string, input: object): Promise<Tapped>;
  /** The gateway's own keys, as one who has its files could use them. */
  readonly ring: KeyRing;
  close(): Promise<void>;
}

type Closers = (() => unknown)[];

/** Whether the next call is to be kept from arriving. */
const taken: { isWanted: boolean } = { isWanted: false };

async function serve(listener: RequestListener, closers: Closers): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes everything on to `target()`, and keeps what passed. */
function tap(target: () => string, kept: Tapped[], more: Readonly<Record<string, string>> = {}): RequestListener {
  return async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    const { method = '', headers } = request;
    const tapped = { method, headers, body };
    kept.push(tapped);
    // What was kept from arriving is unused.
    if (taken.isWanted && body.includes('"tools/call"')) {
      taken.isWanted = false;
      response.writeHead(502).end();
      return;
    }
    const url = new URL(target());
    const onward = httpRequest(url, { method, headers: { ...headers, ...more, host: url.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  };
}

const about = { description: 'For tests.' };

function keep(ran: Ran[], made: Service, name: string): Service {
  return made.tool(name, { ...about, input: z.looseObject({}) }, (input, { tool, principal, statement, traceId }) => {
    ran.push({ tool, input, principal, statement, traceId });
    return { ok: true };
  });
}

function createServices(ran: Ran[]): Readonly<Record<'bank' | 'vault' | 'thief', Service>> {
  const bank = keep(ran, service('bank', { version: '1.0.0', log }), 'Account.Pay');
  bank.describe('Account.Pay', { scopes: ['bank:pay'], policy: { bounds: { '/amount': { maximum: 500 } } } });
  keep(ran, bank, 'Account.Show');
  keep(ran, bank, 'Account.Close').describe('Account.Close', { scopes: ['bank:close'] });
  bank.tool('Account.Ask', { ...about, input: z.object({}) }, async (_, ctx) => {
    const { action } = await ctx.elicit({ message: 'Sure?', schema: z.object({ sure: z.boolean() }) });
    const { principal, statement, traceId, tool } = ctx;
    ran.push({ tool, input: action, principal, statement, traceId });
    return { action };
  });
  const seen = (tool: string, ctx: Pick<Ran, 'principal' | 'statement' | 'traceId'>): string => {
    ran.push({ tool, input: {}, principal: ctx.principal, statement: ctx.statement, traceId: ctx.traceId });
    return 'yes';
  };
  const complete = (): readonly string[] => ['ada'];
  bank.prompt('greet', { description: 'x', arguments: { who: { complete } } }, (_, ctx) => seen('greet', ctx));
  bank.resource('bank://rules', { name: 'Rules', description: 'x' }, (ctx) => seen('bank://rules', ctx));
  bank.resourceTemplate('bank://of/{id}', { name: 'Of', description: 'x' }, (_, ctx) => seen(ctx.uri, ctx));
  keep(ran, bank, 'Account.Rare').describe('Account.Rare', { limit: { rate: 0.001, burst: 1 } });
  const vault = keep(ran, service('vault', { version: '1.0.0', log }), 'Vault.Open');
  keep(ran, vault, 'Account.Pay');
  return { bank, vault, thief: keep(ran, service('thief', { version: '1.0.0', log }), 'Account.Pay') };
}

/** Starts all of it. `tools` as in the configuration. */
export async function openStatedWorld(tools: object = {}): Promise<StatedWorld> {
  const closers: Closers = [];
  const folder = mkdtempSync(join(tmpdir(), 'sp-stated-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const ran: Ran[] = [];
  const records: AuditRecord[] = [];
  const kept: Record<string, Tapped[]> = {};
  const ports: Record<string, string> = {};
  let origin = 'http://127.0.0.1:9';
  // Services know where the keys are before the gateway knows where it listens.
  const keysOrigin = await serve(
    tap(() => `${origin}/.well-known/sallyport/assertion-keys.json`, []),
    closers,
  );
  const keysUrl = `${keysOrigin}/keys`;
  const services: Record<string, object> = {};
  for (const [name, made] of Object.entries(createServices(ran))) {
    const token = 'a-token-of-the-thief';
    const trust = name === 'thief' ? { token } : { gateway: { keysUrl } };
    const { mcpUrl = '' } = await made.listen({ mcp: { port: 0, ...trust }, signals: false });
    closers.push(() => made.close());
    ports[name] = mcpUrl;
    kept[name] = [];
    const authorization: Record<string, string> = name === 'thief' ? { authorization: `Bearer ${token}` } : {};
    services[name] = {
      address: `${await serve(
        tap(() => mcpUrl, kept[name], authorization),
        closers,
      )}/mcp`,
      assertion: true,
    };
  }
  const file = join(folder, 'sallyport.yaml');
  const limits = { limits: { denied: generous, peer: generous, presets: { read: generous, write: generous } } };
  const rest = { version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 }, publicUrl: 'https://gate.example' };
  writeFileSync(file, JSON.stringify({ ...rest, ...limits, services, tools }));
  const { config } = await loadConfig(file);
  const gateway = await startGateway({
    config,
    log,
    onRecord: (record) => void (record.kind === 'outcome' && records.push(record)),
  });
  closers.push(() => gateway.close());
  origin = new URL(gateway.mcpUrl).origin;
  // Until then the keys could not be had, and nobody was believed.
  await listed(gateway, Object.keys(services).length);
  const everything = await gateway.mintRunToken(['*']);
  const master = gatewayKeys(config).of('handles');
  const state = await openState({ path: dataPaths(config.data).state, nowMs: Date.now });
  closers.push(() => state.close());
  const call: StatedWorld['call'] = async (tool, input, token = everything) => {
    const response = await fetch(`${origin}/mcp/call`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool, input }),
    });
    return { status: response.status, body: await response.json() };
  };
  return {
    ring: createKeyRing({ store: state.assertionKeys, sealer: createSealer(master, Date.now), nowMs: Date.now }),
    call,
    async steal(tool, input) {
      taken.isWanted = true;
      await call(tool, input);
      const stolen = kept[tool.split('.')[0] ?? '']?.at(-1);
      if (stolen === undefined) throw new Error('nothing passed');
      return stolen;
    },
    ...{ gateway, origin, keysUrl: `${origin}/.well-known/sallyport/assertion-keys.json`, records, ran },
    taps: (name) => (kept[name] ?? []).filter(({ body }) => body.includes('"tools/call"')),
    portOf: (name) => ports[name] ?? '',
    token: (scopes) => gateway.mintRunToken(scopes),
    async close() {
      for (const closer of closers.splice(0).reverse()) await closer();
    },
  };
}

function listed({ toolCounts, onChange }: RunningGateway, services: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (toolCounts().size < services) return;
      stop();
      resolve();
    };
    const stop = onChange(look);
    look();
  });
}
