import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpRequestFacts, Origin, Presented } from '@sallyport/core';
import type { JWTPayload } from 'jose';
import type { Evidence } from '../packages/gateway/src/authentication/evidence.ts';
import { authenticatorKinds } from '../packages/gateway/src/authentication/index.ts';
import type { AuthenticationDeps } from '../packages/gateway/src/authentication/kind.ts';
import { mintToken } from '../packages/gateway/src/authentication/mint-token.ts';
import type { AuthSettings } from '../packages/gateway/src/authentication/settings.ts';
import { createAuthenticate } from '../packages/gateway/src/authentication/stage.ts';
import { drawToken, formatToken, hashSecret, intentPrefix } from '../packages/gateway/src/authentication/token-text.ts';
import { openState } from '../packages/gateway/src/store/index.ts';
import { drawHolder } from '../test/identity/holder.ts';
import { drawKey, type SigningKey, settingsOf, startIssuer } from '../test/identity/issuer.ts';

/**
 * What it costs to know who calls, for each way of proving it: *cold* is the first call with a credential, *warm* every one
 * after that. Microseconds of CPU, on the request thread and in the whole process (signatures are checked beside it). The
 * chain is the real one. Only the ratios are worth quoting: all are measured in one run.
 */
const rounds = process.argv.includes('--smoke') ? 50 : 2_000;
const publicUrl = 'https://gate.example';
const folder = mkdtempSync(join(tmpdir(), 'sallyport-authenticators-'));
const nowMs = Date.now;
const state = await openState({ path: join(folder, 'state.db'), nowMs });
const keys = await Promise.all([drawKey('es'), drawKey('rs', 'RS256'), drawKey('ed', 'EdDSA')]);
const issuer = await startIssuer(keys);
const settings: AuthSettings = {
  issuers: [settingsOf(issuer.url)],
  certificates: [{ spiffe: 'spiffe://acme.example/agents/*', kind: 'agent', scopes: [] }],
  anonymous: [{ view: 'public', scopes: [] }],
};
const deps: AuthenticationDeps = {
  ...{ tokens: state.tokens, intents: state.intents, pepper: createSecretKey(randomBytes(32)), nowMs, fetch },
  maxTokenLifeMs: () => 86_400_000,
  scopesOf: () => [],
  settings: () => settings,
  publicUrl: () => publicUrl,
};
const { version: _, ...unversioned } = state.tokens;
const chain = (changes: Partial<AuthenticationDeps> = {}) =>
  createAuthenticate(authenticatorKinds.map((kind) => kind.create({ ...deps, ...changes })));
const authenticate = chain();
const asking = chain({ tokens: unversioned });

const holder = await drawHolder();
const thumbprint = 'A'.repeat(43);
const certificate = { thumbprint, subject: 'CN=ci', uris: ['spiffe://acme.example/agents/ci'], dnsNames: [] };
const origin: Origin = { transport: 'http', peer: '127.0.0.1', era: 'modern' };
const bearer = (token: string, more: Partial<Origin> = {}): Evidence => ({
  presented: { kind: 'bearer', token },
  origin: { ...origin, ...more },
});
const plain = (presented: Presented, more: Partial<Evidence> = {}): Evidence => ({ presented, origin, ...more });
const mint = (key: SigningKey | undefined, claims: JWTPayload = {}) =>
  issuer.mint({ aud: `${publicUrl}/mcp`, ...claims }, {}, key);
const account = await state.accounts.ensure({ name: 'bench', kind: 'agent' });
const mintOwn = async () =>
  (await mintToken(deps, { account, scopes: ['posts:read'], label: 'bench', lifeMs: 3_600_000 })).text;

const mintIntent = async (): Promise<string> => {
  const made = await mintToken(deps, { account, scopes: ['posts:read'], label: 'bench', lifeMs: 3_600_000 });
  const { id, secret } = drawToken();
  const allows = [{ intent: id, tools: ['posts.*'], bounds: [], calls: 1 }];
  await state.intents.add({
    intent: { id, messageDigest: 'd'.repeat(43), expiresAtMs: nowMs() + 900_000, allows },
    holder: { subject: 'bench', client: 'token:bench', kind: 'agent', scopes: ['posts:read'], attributes: {} },
    secretHash: hashSecret(deps.pepper, secret).toString('hex'),
    ...{ createdAtMs: nowMs(), createdBy: 'bench', credentialId: made.stored.id, vouchers: [] },
    tokenIds: [made.stored.id],
  });
  return formatToken({ id, secret }, intentPrefix);
};

/** As many credentials as there are rounds, or one that is used for all of them. */
const many = <T>(make: () => Promise<T>): Promise<readonly T[]> => Promise.all(Array.from({ length: rounds }, make));
const once = async <T>(make: () => Promise<T>): Promise<readonly T[]> => Array<T>(rounds).fill(await make());

async function proven(token: string): Promise<Evidence> {
  const proof = await holder.prove({ method: 'POST', url: `${publicUrl}/mcp`, token });
  const http: HttpRequestFacts = { method: 'POST', path: '/mcp', proofs: [proof] };
  return { presented: { kind: 'bearer', token, scheme: 'dpop' }, origin: { ...origin, http } };
}

interface Row {
  readonly name: string;
  readonly evidence: readonly Evidence[];
  readonly chain?: typeof authenticate;
  readonly isRefused?: boolean;
}

const [es, rs, ed] = keys;
const bound = await mint(es, { cnf: { jkt: holder.jkt } });
const unsigned = (await mint(es)).replace(/[^.]*$/, 'A'.repeat(86));
const rows: readonly Row[] = [
  { name: 'own token, warm', evidence: await once(async () => bearer(await mintOwn())) },
  { name: 'own token, cold', evidence: await many(async () => bearer(await mintOwn())) },
  {
    name: 'own token, asking the store each time',
    evidence: await once(async () => bearer(await mintOwn())),
    chain: asking,
  },
  { name: 'token of an intent, warm and cold', evidence: await once(async () => bearer(await mintIntent())) },
  { name: 'JWT, warm', evidence: await once(async () => bearer(await mint(es))) },
  { name: 'JWT ES256, cold', evidence: await many(async () => bearer(await mint(es))) },
  { name: 'JWT RS256, cold', evidence: await many(async () => bearer(await mint(rs))) },
  { name: 'JWT EdDSA, cold', evidence: await many(async () => bearer(await mint(ed))) },
  { name: 'JWT with a new proof for each call', evidence: await many(() => proven(bound)) },
  { name: 'JWT with one proof for the connection', evidence: await once(() => proven(bound)) },
  {
    name: 'JWT of a certificate, warm',
    evidence: await once(async () => bearer(await mint(es, { cnf: { 'x5t#S256': thumbprint } }), { certificate })),
  },
  { name: 'JWT with a bad signature', evidence: await once(async () => bearer(unsigned)), isRefused: true },
  {
    name: 'certificate',
    evidence: await once(async () => plain({ kind: 'none' }, { origin: { ...origin, certificate } })),
  },
  {
    name: 'service hop',
    evidence: await once(async () => plain({ kind: 'service', service: 'posts', instance: '1' })),
  },
  { name: 'owner', evidence: await once(async () => plain({ kind: 'local-owner', user: 'dana' })) },
  {
    name: 'anonymous',
    evidence: await once(async () => plain({ kind: 'none' }, { endpoint: { kind: 'view', name: 'public' } })),
  },
];

const micros = ({ user, system }: NodeJS.CpuUsage): number => Math.round(((user + system) / rounds) * 100) / 100;

async function measure({ evidence, chain: use = authenticate, isRefused = false }: Row) {
  const [first] = evidence;
  // Keys are fetched, and what is the same each time is known, before the clock starts.
  if (first !== undefined && first !== evidence[1]) await authenticate(bearer(await mint(es)));
  else for (let at = 0; at < rounds && first !== undefined; at++) await use(first).catch(() => undefined);
  const before = [process.threadCpuUsage(), process.cpuUsage()] as const;
  let refused = 0;
  for (const one of evidence) {
    await use(one).catch(() => {
      refused++;
    });
  }
  const spent = { thread: micros(process.threadCpuUsage(before[0])), process: micros(process.cpuUsage(before[1])) };
  if (refused !== (isRefused ? evidence.length : 0)) throw new Error(`${refused} calls were refused`);
  return spent;
}

const table = new Map<string, { thread: number; process: number; ratio?: number }>();
for (const row of rows) table.set(row.name, await measure(row));
const unit = table.get('own token, warm')?.process ?? 1;
for (const row of table.values()) row.ratio = Math.round((row.process / unit) * 10) / 10;
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ rows: Object.fromEntries(table) })}\n`);
else console.table(Object.fromEntries(table));
await issuer.close();
await state.close();
rmSync(folder, { recursive: true, force: true });
