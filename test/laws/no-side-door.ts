import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditRecord, GatewayError } from '@sallyport/core';
import { type AdminTarget, adminCall, loadConfig, type RunningGateway, startGateway } from '@sallyport/gateway';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { pino } from 'pino';

type Told = Omit<AuditRecord, 'argumentsText' | 'request'>;

/** A gateway as `sallyport serve` starts it, with its two ways to its administration. */
export interface AdminWorld {
  readonly gateway: RunningGateway;
  readonly records: readonly Told[];
  readonly socket: AdminTarget;
  /** A new account with a token of these scopes; an agent unless it is told. */
  holder(scopes: readonly string[], kind?: string): Promise<Holder>;
  remote(token: string): AdminTarget;
  /** What accounts and tokens there are, as the database says. */
  state(): Promise<string>;
  close(): Promise<void>;
}

/** Somebody with a token. */
export interface Holder {
  readonly account: string;
  readonly id: string;
  readonly token: string;
}

/** One administrative operation: what it needs, and arguments that are good. */
export interface Operation {
  readonly name: string;
  readonly scope: string;
  /** Another scope that opens it. */
  readonly or?: string;
  readonly changes: boolean;
  readonly args: (world: AdminWorld) => Promise<JsonObject>;
  /** What it ends with for who may, where what it is about is not there in these tests. */
  readonly ends?: 'not_found';
}

const none = async (): Promise<JsonObject> => ({});
const someToken = async (world: AdminWorld): Promise<JsonObject> => ({ id: (await world.holder(['lab:read'])).id });
const someAccount = async (world: AdminWorld): Promise<JsonObject> => ({
  name: (await world.holder(['lab:read'])).account,
});

const password = 'correct horse battery staple';
let users = 0;
const newUser = async (): Promise<JsonObject> => ({ name: `user-${++users}`, password, scopes: ['lab:read'] });
/** Somebody who can sign in; the same for all of a world, for hashing a password takes its time. */
const members = new WeakMap<AdminWorld, Promise<string>>();
const someUser = async (world: AdminWorld): Promise<JsonObject> => {
  const member = members.get(world) ?? addUser(world);
  members.set(world, member);
  return { name: await member };
};
const addUser = async (world: AdminWorld): Promise<string> => {
  const args = await newUser();
  await adminCall(world.socket, 'users.add', { args });
  return String(args.name);
};
const noIntent = async (): Promise<JsonObject> => ({ id: 'A'.repeat(16) });
const noContainment = async (): Promise<JsonObject> => ({ id: `ctn_${'a'.repeat(16)}` });
const noApproval = async (): Promise<JsonObject> => ({ id: `apr_${'a'.repeat(16)}` });
const noRevision = async (): Promise<JsonObject> => ({ revision: 'a'.repeat(64) });
const noService = async (): Promise<JsonObject> => ({ service: 'nowhere' });

const approvals = { scope: 'admin:approvals', or: 'admin:consent' };

/** All of them. A test compares this list with what the gateway offers, so that none can be forgotten. */
export const operations: readonly Operation[] = [
  {
    ...{ name: 'tokens.create', scope: 'admin:tokens', changes: true },
    args: async () => ({ account: 'newcomer', scopes: ['lab:read'], lifeSeconds: 600 }),
  },
  {
    ...{ name: 'revocations.add', scope: 'admin:tokens', changes: true },
    args: async () => ({ issuer: 'company', kind: 'all' }),
  },
  { name: 'revocations.list', scope: 'admin:tokens', changes: false, args: none },
  { name: 'tokens.list', scope: 'admin:tokens', changes: false, args: none },
  { name: 'tokens.revoke', scope: 'admin:tokens', changes: true, args: someToken },
  { name: 'tokens.rotate', scope: 'admin:tokens', changes: true, args: someToken },
  { name: 'accounts.list', scope: 'admin:accounts', changes: false, args: none },
  { name: 'accounts.disable', scope: 'admin:accounts', changes: true, args: someAccount },
  { name: 'accounts.enable', scope: 'admin:accounts', changes: true, args: someAccount },
  { name: 'credentials.list', scope: 'admin:credentials', changes: false, args: none },
  { name: 'credentials.revoke', scope: 'admin:credentials', changes: true, args: noService },
  { name: 'credentials.connect', scope: 'admin:credentials', changes: true, args: noService, ends: 'not_found' },
  { name: 'intents.list', scope: 'admin:read', changes: false, args: none },
  { name: 'intents.trace', scope: 'admin:read', changes: false, args: noIntent, ends: 'not_found' },
  { name: 'intents.revoke', scope: 'admin:tokens', changes: true, args: noIntent, ends: 'not_found' },
  { name: 'users.add', scope: 'admin:users', changes: true, args: newUser },
  { name: 'users.list', scope: 'admin:users', changes: false, args: none },
  {
    ...{ name: 'users.allow', scope: 'admin:users', changes: true },
    args: async (world) => ({ ...(await someUser(world)), scopes: ['lab:write'] }),
  },
  { name: 'users.disable', scope: 'admin:users', changes: true, args: someUser },
  { name: 'users.enable', scope: 'admin:users', changes: true, args: someUser },
  {
    ...{ name: 'users.reset', scope: 'admin:users', changes: true },
    args: async (world) => ({ ...(await someUser(world)), password }),
  },
  { name: 'users.totp', scope: 'admin:users', changes: true, args: someUser },
  { name: 'users.untotp', scope: 'admin:users', changes: true, args: someUser },
  { name: 'users.delete', scope: 'admin:users', changes: true, args: async () => ({ name: 'nobody' }) },
  {
    ...{ name: 'audit.erase', scope: 'admin:audit', changes: true },
    args: async () => ({ tenant: 'acme', day: '2026-01-02' }),
  },
  { name: 'containment.list', scope: 'admin:contain', changes: false, args: none },
  {
    ...{ name: 'containment.contain', scope: 'admin:contain', changes: true },
    args: async () => ({ kind: 'tool', value: 'nowhere.*' }),
  },
  { name: 'containment.restore', scope: 'admin:contain', changes: true, args: noContainment, ends: 'not_found' },
  { name: 'approvals.list', ...approvals, changes: false, args: none },
  { name: 'approvals.watch', ...approvals, changes: false, args: none },
  { name: 'approvals.show', ...approvals, changes: false, args: noApproval, ends: 'not_found' },
  { name: 'approvals.approve', ...approvals, changes: true, args: noApproval, ends: 'not_found' },
  {
    ...{ name: 'approvals.reject', ...approvals, changes: true, ends: 'not_found' },
    args: async () => ({ ...(await noApproval()), reason: 'No.' }),
  },
  { name: 'policies.list', scope: 'admin:policies', changes: false, args: none },
  { name: 'policies.revisions', scope: 'admin:policies', changes: false, args: none },
  { name: 'policies.revision', scope: 'admin:policies', changes: false, args: noRevision, ends: 'not_found' },
  { name: 'policies.rollback', scope: 'admin:policies', changes: true, args: noRevision, ends: 'not_found' },
  {
    ...{ name: 'policies.explain', scope: 'admin:policies', changes: false, ends: 'not_found' },
    args: async () => ({ call: '00000000-0000-4000-8000-000000000000' }),
  },
  { name: 'policies.replay', scope: 'admin:policies', changes: false, args: none },
  { name: 'policies.shadow', scope: 'admin:policies', changes: false, args: none },
  { name: 'keys.list', scope: 'admin:keys', changes: false, args: none },
  { name: 'keys.rotate', scope: 'admin:keys', changes: true, args: async () => ({ key: 'assertion' }) },
  { name: 'catalog.show', scope: 'admin:read', changes: false, args: none },
  { name: 'gateway.openapi', scope: 'admin:read', changes: false, args: none },
  { name: 'gateway.status', scope: 'admin:read', changes: false, args: none },
  { name: 'metrics.show', scope: 'admin:read', changes: false, args: none },
];

/** Starts a gateway on free ports, in a folder of its own. */
export async function makeAdminWorld(): Promise<AdminWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-law8-'));
  const file = join(folder, 'sallyport.yaml');
  const generous = { rate: 100_000, burst: 100_000 };
  const limits = { denied: generous, peer: generous, presets: { read: generous, write: generous } };
  const auth = { issuers: { company: { issuer: 'https://login.example' } } };
  writeFileSync(file, JSON.stringify({ version: 1, listen: { port: 0 }, admin: { port: 0 }, limits, auth }));
  const { config } = await loadConfig(file);
  const records: Told[] = [];
  const log = pino({ level: 'silent' });
  const onRecord = (record: Told | { readonly kind: 'refusals' }) => record.kind !== 'refusals' && records.push(record);
  const gateway = await startGateway({ config, log, onRecord });
  let holders = 0;
  const socket = { socketPath: gateway.adminSocket };
  return {
    ...{ gateway, records, socket },
    async holder(scopes, kind = 'agent') {
      const account = `holder-${++holders}`;
      const args = { account, kind, scopes: [...scopes], lifeSeconds: 600 };
      const { id, token } = (await adminCall(socket, 'tokens.create', { args })) as JsonObject;
      return { account, id: String(id), token: String(token) };
    },
    remote: (token) => ({ url: gateway.adminUrl ?? '', token }),
    async state() {
      const lists = [
        'tokens.list',
        'accounts.list',
        'revocations.list',
        'users.list',
        'credentials.list',
        'intents.list',
      ];
      return JSON.stringify(await Promise.all(lists.map((list) => adminCall(socket, list))));
    },
    async close() {
      await gateway.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** How an operation ended, and what was recorded of it. */
export interface Attempt {
  readonly result?: JsonValue;
  readonly reason?: string;
  readonly records: readonly Told[];
}

/** Tries an operation and waits until the gateway has told what it recorded. */
export async function attempt(world: AdminWorld, target: AdminTarget, { name, args }: Tried): Promise<Attempt> {
  const before = world.records.length;
  const outcome = await adminCall(target, name, { args }).then(
    (result) => ({ result }),
    (thrown: unknown) => ({ reason: thrown instanceof GatewayError ? thrown.reason : String(thrown) }),
  );
  for (let turn = 0; turn < 200 && !world.records.slice(before).some(({ kind }) => kind === 'outcome'); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { ...outcome, records: world.records.slice(before) };
}

interface Tried {
  readonly name: string;
  readonly args: JsonObject;
}

/**
 * Law 8, **no side door**, for who may not: an operation is refused, recorded as refused, and changes nothing. `*` is every
 * scope of a tool, and no scope of administration.
 */
export async function refusedWithout(
  world: AdminWorld,
  operation: Operation,
  scopes: readonly string[],
): Promise<readonly string[]> {
  const args = await operation.args(world);
  const { token } = await holding(world, scopes);
  const before = await world.state();
  const { reason, records } = await attempt(world, world.remote(token), { name: operation.name, args });
  const what = `${operation.name} with [${scopes.join(' ')}]`;
  const violations: string[] = [];
  if (reason !== 'insufficient_scope') violations.push(`${what}: ${reason ?? 'it was done'}`);
  if ((await world.state()) !== before) violations.push(`${what}: something changed`);
  if (records.length !== 1 || records[0]?.reason !== 'insufficient_scope' || records[0].stage !== 'entitle') {
    violations.push(
      `${what}: recorded as ${JSON.stringify(records.map(({ outcome, reason: why }) => [outcome, why]))}`,
    );
  }
  return violations;
}

const holders = new WeakMap<AdminWorld, Map<string, Promise<Holder>>>();

/** Somebody with these scopes; the same for all of a world. */
function holding(world: AdminWorld, scopes: readonly string[]): Promise<Holder> {
  const known = holders.get(world) ?? new Map<string, Promise<Holder>>();
  holders.set(world, known);
  const key = scopes.join(' ');
  const holder = known.get(key) ?? world.holder(scopes);
  known.set(key, holder);
  return holder;
}

/** The same law for who may: it is done once, by somebody with a name, and a change has its intent on record before it. */
export async function recordedWith(
  world: AdminWorld,
  operation: Operation,
  { target, subject }: { readonly target: AdminTarget; readonly subject: string },
): Promise<readonly string[]> {
  const args = await operation.args(world);
  const { reason, records } = await attempt(world, target, { name: operation.name, args });
  const kinds = records.map(({ kind, outcome }) => `${kind} ${outcome}`);
  const outcome = operation.ends === undefined ? 'outcome answered' : 'outcome refused';
  const right = operation.changes ? ['intent intended', outcome] : [outcome];
  const violations: string[] = [];
  if (reason !== operation.ends) violations.push(`${operation.name} by ${subject}: ${reason}`);
  if (kinds.join() !== right.join()) violations.push(`${operation.name} by ${subject}: recorded as ${kinds.join()}`);
  for (const record of records) {
    const isRight = record.subject === subject && record.tool === `admin.${operation.name}`;
    if (!isRight) violations.push(`${operation.name}: recorded as ${record.tool} by ${record.subject}`);
  }
  return violations;
}
