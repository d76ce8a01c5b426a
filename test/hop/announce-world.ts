import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Authenticator, notResponsible } from '@sallyport/core';
import { callbackAuditLog, createGateway, type GatewayConfig, mintCredential } from '@sallyport/gateway';
import { service } from '@sallyport/kit';
import { type HopCredential, hopCiphers, hopExporterLabel, type ServiceManifest } from '@sallyport/protocol';
import { fakePrincipal } from '@sallyport/testkit';
import { pino } from 'pino';
import { z } from 'zod';
import { announceMtls } from '../../packages/gateway/src/compose/announce-mtls.ts';
import { type AnnounceRegistry, createAnnounceRegistry } from '../../packages/gateway/src/registry/announce.ts';
import {
  type FakeService,
  fakeManifest,
  startFakeService,
} from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { createKitUpstream } from '../../packages/gateway/src/upstream/kit.ts';
import { type Authority, createAuthority, type Pair } from './certificates.ts';

const log = pino({ level: 'silent' });

/** A gateway that services announce themselves to in all three ways, and `bank`, which has. */
export interface AnnounceWorld {
  readonly registry: AnnounceRegistry;
  readonly socket: string;
  readonly authority: Authority;
  readonly strangers: Authority;
  readonly bank: HopCredential;
  readonly thief: HopCredential;
  /** The credentials that are good; replace and `registry.dropRevoked()`. */
  credentials: readonly HopCredential[];
  /** Which certificates may announce what. */
  claims: Readonly<Record<string, readonly string[]>>;
  /** Moves the clock that certificates are looked at by. */
  laterMs: number;
  pair(name: string, names: string, subject?: string): Pair;
  /** A service that speaks the hop by hand. */
  fake(credential: HopCredential, manifest?: ServiceManifest, dial?: () => Socket, instance?: string): FakeService;
  plain(): Socket;
  /** A channel that is made with a credential. */
  keyed(credential: Pick<HopCredential, 'id' | 'key'>): Socket;
  mutual(pair: Pair | undefined, options?: ConnectionOptions): Socket;
  /** All tools that an agent is shown, and what `bank` answers. */
  seen(): Promise<{ readonly tools: readonly string[]; readonly answer: unknown; readonly instances: number }>;
  close(): Promise<void>;
}

const bySaying: Authenticator = {
  authenticate: ({ presented }) =>
    presented.kind === 'bearer' ? fakePrincipal({ subject: presented.token }) : notResponsible,
};

/** The tools of `bank`, and no others. */
export const bankTools = ['bank.Account.Show'];

/** Starts it. */
export async function openAnnounceWorld(): Promise<AnnounceWorld> {
  const closers: (() => unknown)[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'sp-ann-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const [authority, strangers] = [createAuthority(folder, 'ours'), createAuthority(folder, 'theirs')];
  const gate = authority.issue('gate', 'IP:127.0.0.1,URI:spiffe://acme.example/gate');
  const [bank, thief] = [mintCredential('bank'), mintCredential('thief')];
  const socket = join(folder, 'hop.sock');
  const live: Pick<AnnounceWorld, 'credentials' | 'claims' | 'laterMs'> = {
    credentials: [bank, thief],
    claims: { bank: ['spiffe://acme.example/bank', 'CN=bank,O=Acme'], thief: ['spiffe://acme.example/thief'] },
    laterMs: 0,
  };
  const here = { host: '127.0.0.1', port: 0 };
  const files = { ...gate, clientCa: authority.cert, minVersion: 'TLSv1.3' };
  const mutual = await announceMtls({
    config: { announce: { mtls: { listen: here, files, services: {} } } } as unknown as GatewayConfig,
    ...{ services: () => live.claims, nowMs: () => Date.now() + live.laterMs, log },
  });
  const nowMs = Date.now;
  const registry = await createAnnounceRegistry({
    ...{ socket, tls: here, ...(mutual && { mutual }), log, nowMs, credentials: () => live.credentials },
    ...{ wallClockMs: () => Date.now() + live.laterMs, timing: { lingerMs: 1 } },
    createPool: (request) => createKitUpstream({ ...request, nowMs }),
    onInvoke: async () => ({ ok: '{"content":[]}' }),
  });
  const gateway = createGateway({
    registry,
    authenticators: [bySaying],
    audit: callbackAuditLog(() => undefined),
    log,
  });
  const url = await gateway.listen({ port: 0 });
  closers.push(
    () => gateway.close(),
    () => registry.close(),
  );
  const credentialFile = join(folder, 'bank.json');
  writeFileSync(credentialFile, JSON.stringify(bank), { mode: 0o600 });
  const made = service('bank', { version: '1.0.0', log });
  made.tool('Account.Show', { description: 'Shows.', input: z.looseObject({}) }, () => ({ from: 'bank' }));
  await made.listen({ hop: `unix:${socket}`, credentialFile, signals: false });
  closers.push(() => made.close());

  const ask = async (path: string, init: RequestInit = {}): Promise<any> => {
    const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };
    return (await fetch(new URL(path, url), { ...init, headers })).json();
  };
  const ca = readFileSync(authority.cert);
  const plain = (): Socket => connect(socket);
  return Object.assign(live, {
    ...{ registry, socket, authority, strangers, bank, thief, plain },
    pair: authority.issue,
    fake: (
      credential: HopCredential,
      manifest = fakeManifest(credential.service),
      dial = plain,
      instance = 'i1',
    ): FakeService => {
      const started = startFakeService(socket, { credential, manifest, dial, instance });
      closers.push(() => started.kill());
      return started;
    },
    keyed: ({ id, key }: Pick<HopCredential, 'id' | 'key'>): Socket =>
      connectTls({
        ...{ ...here, port: registry.port ?? 0, ciphers: hopCiphers, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
        pskCallback: () => ({ identity: id, psk: Buffer.from(key, 'base64url') }),
        checkServerIdentity: () => undefined,
      }),
    mutual: (pair: Pair | undefined, options: ConnectionOptions = {}): Socket =>
      connectTls({
        ...{ ...here, port: registry.mutualPort ?? 0, ca },
        ...(pair && { cert: readFileSync(pair.cert), key: readFileSync(pair.key) }),
        ...options,
      }),
    async seen() {
      const { tools } = await ask('/mcp/tools');
      const body = JSON.stringify({ tool: 'bank.Account.Show', input: {} });
      const { result } = await ask('/mcp/call', { method: 'POST', body });
      const own = registry.registrations().find(({ manifest }) => manifest.service === 'bank');
      return { tools: tools.map(({ name }: any) => name), answer: result, instances: own?.instances ?? 0 };
    },
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  }) as AnnounceWorld;
}

/** The key of the proof on a mutual channel, once it is there. */
export function keyOf(socket: Socket): string {
  const { exportKeyingMaterial } = socket as Socket & {
    exportKeyingMaterial(n: number, label: string, c: Buffer): Buffer;
  };
  return exportKeyingMaterial.call(socket, 32, hopExporterLabel, Buffer.alloc(0)).toString('base64url');
}
