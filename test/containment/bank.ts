import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { AuditRecord } from '@sallyport/core';
import {
  adminCall,
  dataPaths,
  loadConfig,
  mintCredential,
  type RunningGateway,
  startGateway,
  writeCredentialFile,
} from '@sallyport/gateway';
import { service } from '@sallyport/kit';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { z } from 'zod';

/** A gateway as its configuration makes it, with a bank behind. */
export interface Bank {
  readonly gateway: RunningGateway;
  readonly url: URL;
  /** Where the configuration is, and the data folder. */
  readonly folder: string;
  readonly data: string;
  /** What was logged, from `info` on. */
  readonly logged: JsonObject[];
  /** How every call ended, in the order of the records. */
  readonly records: AuditRecord[];
  /** Ids of calls that `Bank.Hold` holds. It takes no notice of who goes away. */
  readonly held: Set<string>;
  /** Calls that came as far as the bank, by tool. */
  readonly seen: string[];
  /** Lets all held calls end. */
  release(): void;
  mint(account: string, scopes?: readonly string[], kind?: 'agent' | 'person' | 'service'): Promise<string>;
  /** As the owner, over the socket. */
  operate(operation: string, args?: JsonObject): Promise<JsonObject>;
  /** Takes another configuration while it runs. */
  reload(config: JsonObject): Promise<readonly string[]>;
  close(): Promise<void>;
}

const generous = { rate: 100_000, burst: 100_000 };

/** Starts one. `config` is laid over what every bank has; `write` may put files beside the configuration before. */
export async function openBank(
  config: JsonObject = {},
  write: (folder: string) => void = () => undefined,
): Promise<Bank> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-bank-'));
  const credentialFile = join(folder, 'bank.json');
  writeCredentialFile(credentialFile, mintCredential('bank'));
  const socket = `unix:${join(folder, 'bank.sock')}`;
  const desk = createDesk();
  await desk.bank.listen({ listen: socket, credentialFile, signals: false });
  write(folder);
  const always = {
    ...{ version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 } },
    services: { bank: { address: socket, credential: credentialFile, scopes: ['bank:use'] } },
    limits: { denied: generous, peer: generous, presets: { read: generous, write: generous } },
  };
  const file = join(folder, 'sallyport.yaml');
  const load = (laid: JsonObject) => {
    writeFileSync(file, JSON.stringify({ ...always, ...laid }));
    return loadConfig(file);
  };
  const loaded = await load(config);
  const records: AuditRecord[] = [];
  const logged: JsonObject[] = [];
  const lines = new Writable({
    write(chunk: Buffer, _, done) {
      logged.push(JSON.parse(chunk.toString()) as JsonObject);
      done();
    },
  });
  const gateway = await startGateway({
    config: loaded.config,
    log: pino({ level: 'info' }, lines),
    onRecord: (record) => {
      if (record.kind === 'outcome') records.push(record);
    },
  });
  await gateway.ready();
  const paths = dataPaths(loaded.config.data);
  const operate = (operation: string, args: JsonObject = {}) =>
    adminCall({ socketPath: paths.adminSocket }, operation, { args }) as Promise<JsonObject>;
  return {
    ...{ gateway, folder, logged, records, operate, url: new URL(gateway.mcpUrl), data: loaded.config.data },
    ...{ held: desk.held, seen: desk.seen, release: desk.release },
    mint: async (account, scopes = ['bank:use'], kind = 'agent') =>
      String((await operate('tokens.create', { account, label: account, scopes: [...scopes], kind })).token),
    reload: async (laid) => gateway.reload((await load(laid)).config),
    async close() {
      desk.release();
      await gateway.close();
      await desk.bank.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function createDesk() {
  const bank = service('bank', { version: '1.0.0' });
  const held = new Set<string>();
  const seen: string[] = [];
  let waiting: (() => void)[] = [];
  const common = { description: 'Of a bank.', scopes: ['bank:use'] };
  const balance = z.object({ iban: z.string(), owner: z.string(), cents: z.number() });
  const account = { iban: 'DE02120300000000202051', owner: 'Ada', cents: 12_345 };
  bank.tool('Bank.Balance', { ...common, sideEffect: 'read', input: z.looseObject({}), output: balance }, () => {
    seen.push('Bank.Balance');
    return account;
  });
  bank.tool('Bank.Hold', { ...common, sideEffect: 'read', input: z.object({ id: z.string() }) }, async ({ id }) => {
    seen.push('Bank.Hold');
    held.add(id);
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { late: id };
  });
  const amount = z.object({ amount: z.number().optional() });
  bank.tool('Bank.Wipe', { ...common, sideEffect: 'destructive', input: amount }, () => {
    seen.push('Bank.Wipe');
    return { wiped: true };
  });
  bank.tool('Bank.Pay', { ...common, sideEffect: 'write', classification: 'confidential', input: amount }, () => {
    seen.push('Bank.Pay');
    return { paid: true };
  });
  bank.tool('Bank.Ask', { ...common, sideEffect: 'read', input: z.looseObject({}) }, async (_, context) => {
    const answer = await context.elicit({ message: 'Sure?', schema: z.object({ sure: z.boolean() }) });
    seen.push(`Bank.Ask: ${answer.action}`);
    return { answer: answer.action };
  });
  bank.tool('Bank.Via', { ...common, sideEffect: 'read', input: z.object({ id: z.string() }) }, async ({ id }, ctx) => {
    const inner = await ctx.call('bank.Bank.Hold', { id }).catch((error: Error) => error.message);
    seen.push('Bank.Via');
    return { inner };
  });
  const release = (): void => {
    for (const go of waiting.splice(0)) go();
    waiting = [];
  };
  return { bank, held, seen, release };
}
