import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { JsonText } from '@sallyport/core';
import type { Era, JsonObject } from '@sallyport/protocol';
import { type Logger, pino } from 'pino';
import type { Beginning, Conversation, ConversationRequest, ServerAnswer } from '../conversation.ts';
import { openStdio, type StdioOptions, type StdioServer } from '../stdio.ts';
import { stdioEnvironment } from '../stdio-environment.ts';
import { beginning } from './conversation.ts';

const open: StdioServer[] = [];

/** Ends what a test began. */
export async function closeServers(): Promise<void> {
  await Promise.all(open.splice(0).map((server) => server.close()));
}

/** Log lines as objects. */
export function collectLog(): { readonly log: Logger; readonly lines: readonly JsonObject[] } {
  const lines: JsonObject[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as JsonObject) });
  return { log, lines };
}

/** A command for one of the servers in this folder, or elsewhere. */
export function serverCommand(file: string, ...args: readonly string[]): readonly string[] {
  const path = resolve(import.meta.dirname, file);
  return [process.execPath, '--conditions=sallyport-source', '--disable-warning=ExperimentalWarning', path, ...args];
}

/** Each server's sources are compiled once for all tests. */
const compileCache = process.env.NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE } : {};

/** What differs from the ordinary. */
export type ServerOverrides = Partial<StdioOptions> & { readonly modes?: readonly string[] };

/** A supervised server; the one without an SDK if no other command is given. */
export function server({ modes = [], ...overrides }: ServerOverrides = {}): StdioServer {
  const made = openStdio({
    service: 'raw',
    command: serverCommand('raw-stdio-server.ts', ...modes),
    cwd: tmpdir(),
    env: { ...stdioEnvironment(process.env, {}), ...compileCache },
    isolation: 'shared',
    log: pino({ level: 'silent' }),
    nowMs: () => performance.now(),
    random: Math.random,
    startMs: 15_000,
    ...overrides,
    bounds: { endMs: 300, terminateMs: 300, ...overrides.bounds },
  });
  open.push(made);
  return made;
}

/** Begins a conversation, which must be possible. */
export async function begin(from: StdioServer, era: Era, overrides: Partial<Beginning> = {}): Promise<Conversation> {
  const made = await from.begin(era, beginning(overrides));
  assert(made, `the server does not speak the ${era} era`);
  return made;
}

/** Calls a tool. */
export function call(
  conversation: Conversation,
  name: string,
  overrides: Partial<ConversationRequest> & { readonly arguments?: JsonObject } = {},
): Promise<ServerAnswer> {
  const { arguments: args = {}, ...more } = overrides;
  return conversation.request({
    method: 'tools/call',
    paramsText: JSON.stringify({ name, arguments: args }) as JsonText,
    credential: { kind: 'none' },
    signal: new AbortController().signal,
    ...more,
  });
}

/** What a tool of the raw server returned. */
export function contentOf<Value = unknown>(answer: ServerAnswer): Value {
  assert(answer.kind === 'result', JSON.stringify(answer));
  const [first] = answer.value.content as readonly JsonObject[];
  return JSON.parse(String(first?.text)) as Value;
}

/** Whether a process runs; one that nobody has waited for counts too. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The children of this process, zombies included. */
export function children(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid;
      } catch {
        return false;
      }
    });
}
