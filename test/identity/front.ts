import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord } from '@sallyport/core';
import {
  dataPaths,
  gatewayKeys,
  loadConfig,
  mintCredential,
  type RunningGateway,
  startGateway,
  writeCredentialFile,
} from '@sallyport/gateway';
import { type Principal, service } from '@sallyport/kit';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { z } from 'zod';
import { openState, type State } from '../../packages/gateway/src/store/index.ts';

/** What a call looked like to the service. */
export interface SeenCall {
  readonly tool: string;
  readonly principal: Principal;
  readonly input: unknown;
}

/** A gateway as the configuration file makes it, with one service of the kit behind: everything is real but who calls. */
export interface Front {
  readonly gateway: RunningGateway;
  /** Where it listens: `http(s)://127.0.0.1:port`. */
  readonly origin: string;
  /** What was recorded, refusals included. */
  readonly records: AuditRecord[];
  /** Calls that came as far as the service. */
  readonly seen: SeenCall[];
  /** Its state database, as another process would open it. */
  readonly state: State;
  /** The key under which it hashes secrets of tokens. */
  readonly pepper: KeyObject;
  /** Takes another configuration while it runs, as when the file is saved. Returns what needs a restart. */
  reload(config: JsonObject): Promise<readonly string[]>;
  close(): Promise<void>;
}

const generous = { rate: 100_000, burst: 100_000 };

/** The limits of a gateway whose refusals are all recorded, and which nothing is too much for. */
const endless = {
  limits: {
    ...{ denied: generous, peer: generous, presets: { read: generous, write: generous } },
  },
  audit: { refusalsPerPeer: 10_000 },
};

/** Starts one. `config` is laid over what every front has; the service is `desk`. */
export async function openFront(config: JsonObject): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-id-'));
  const credentialFile = join(folder, 'desk.json');
  writeCredentialFile(credentialFile, mintCredential('desk'));
  const socket = `unix:${join(folder, 'desk.sock')}`;
  const seen: SeenCall[] = [];
  const desk = createDesk(seen);
  await desk.listen({ listen: socket, credentialFile, signals: false });

  const file = join(folder, 'sallyport.yaml');
  const services = { desk: { address: socket, credential: credentialFile } };
  const always = { version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 }, services, ...endless };
  const load = (laid: JsonObject) => {
    writeFileSync(file, JSON.stringify({ ...always, ...laid }));
    return loadConfig(file);
  };
  const loaded = await load(config);
  const records: AuditRecord[] = [];
  const gateway = await startGateway({
    config: loaded.config,
    log: pino({ level: process.env.FRONT_LOG ?? 'silent' }),
    onRecord: (record) => {
      if (record.kind === 'outcome') records.push(record);
    },
  });
  await gateway.ready();
  const state = await openState({ path: dataPaths(loaded.config.data).state, nowMs: Date.now });
  return {
    ...{ gateway, records, seen, state, origin: new URL(gateway.mcpUrl).origin },
    pepper: gatewayKeys(loaded.config).of('token-pepper'),
    reload: async (laid) => gateway.reload((await load(laid)).config),
    async close() {
      await state.close();
      await gateway.close();
      await desk.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function createDesk(seen: SeenCall[]) {
  const desk = service('desk', { version: '1.0.0' });
  const note =
    (tool: string) =>
    (input: unknown, { principal }: { readonly principal: Principal }) => {
      seen.push({ tool, principal, input });
      return { principal: { ...principal } };
    };
  const input = z.looseObject({});
  const read = { sideEffect: 'read' as const, input };
  desk.tool('Desk.Open', { description: 'For everybody.', scopes: [], ...read }, note('Desk.Open'));
  desk.tool('Desk.Read', { description: 'Reads.', scopes: ['posts:read'], ...read }, note('Desk.Read'));
  desk.tool(
    'Desk.Close',
    { description: 'For few.', scopes: ['desk:close', 'desk:all'], sideEffect: 'destructive', input },
    note('Desk.Close'),
  );
  return desk;
}
