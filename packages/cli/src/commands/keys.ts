import { resolve } from 'node:path';
import type { MasterPlace } from '@sallyport/gateway';
import { type AdminOptions, administer, configOf } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';

/** Options of `keys rotate`. */
export interface RotateOptions extends AdminOptions {
  readonly now?: boolean;
  /** `file:<path>` or `env:<name>`. */
  readonly to?: string;
}

interface ListedKey {
  readonly key: string;
  readonly id?: string;
  readonly madeAt?: string;
  readonly nextMadeAt?: string;
  readonly place?: string;
  readonly state?: string;
}

/** What keys are for, in the words of the list. */
const purposes: Readonly<Record<string, string>> = {
  master: 'wraps all others',
  'audit-signing': 'signs checkpoints of the audit log',
  sealing: 'wraps the keys of what the audit log has sealed',
  'argument-hash': 'keys the hashes of arguments and answers in the audit log',
  'token-pepper': 'keys the hashes of tokens',
  handles: 'seals what callers bring back, and keys of statements',
  'upstream-grants': 'seals what users granted at upstreams',
  authserver: 'seals what the authorization server keeps',
  'authserver-names': 'keys the names of what it keeps',
  assertion: 'signs statements for services',
  'sign-in': 'signs tokens of the authorization server',
};

/** `keys list` */
export async function listKeys(options: AdminOptions, context: Context): Promise<void> {
  const { keys, isRunning } = await keysOf(options, context);
  if (options.json) return printJson(context, { keys });
  const rows = keys.map(({ key, id, madeAt, nextMadeAt, place, state }) => [
    key,
    madeAt?.slice(0, 10) ?? (key === 'master' ? '' : 'derived'),
    [state, nextMadeAt && `another waits since ${nextMadeAt.slice(0, 10)}`].filter(Boolean).join(', '),
    [purposes[key], place && `is in ${place}`].filter(Boolean).join('; '),
    id ?? '',
  ]);
  print(context, table(['key', 'made', 'state', 'what it does', 'id or public half'], rows, context.style.dim));
  if (!isRunning) say(context, 'No gateway runs here: keys that are in its databases are not listed.');
}

async function keysOf(
  options: AdminOptions,
  context: Context,
): Promise<{ readonly keys: readonly ListedKey[]; readonly isRunning: boolean }> {
  const answer = await orNothing(administer(options, context, 'keys.list'));
  if (answer !== undefined) return { keys: answer.keys as readonly ListedKey[], isRunning: true };
  const { gatewayKeys, keyPlaces, placeText } = await import('@sallyport/gateway');
  const config = await configOf(options, context);
  const { facts, masterId } = await known(() => gatewayKeys(config, context.env));
  const time = (ms: number) => new Date(ms).toISOString();
  return {
    isRunning: false,
    keys: [
      { key: 'master', id: masterId, place: placeText(keyPlaces(config, context.env).master) },
      ...facts.map(({ purpose, madeMs, nextMadeMs }) => ({
        key: purpose,
        ...(madeMs !== undefined && { madeAt: time(madeMs) }),
        ...(nextMadeMs !== undefined && { nextMadeAt: time(nextMadeMs) }),
      })),
    ],
  };
}

/** `keys rotate` */
export async function rotateKey(key: string, { now, to, ...options }: RotateOptions, context: Context): Promise<void> {
  if (to !== undefined && key !== 'master') throw new CliError('usage', 'Only the master key has a place: --to.');
  const answer =
    to === undefined ? await orNothing(administer(options, context, 'keys.rotate', { key, now })) : undefined;
  if (answer !== undefined) return tell(key, answer, { options, context });
  if (key === 'master') return tell(key, await rotateMaster(to, options, context), { options, context });
  if (key === 'audit-signing') return tell(key, await prepareSigning(options, context), { options, context });
  throw new CliError('unavailable', `No gateway runs here, and ${key} keys are in its database.`, {
    hint: 'Start it first: with `sallyport serve`, or `sallyport run`.',
  });
}

async function rotateMaster(to: string | undefined, options: AdminOptions, context: Context) {
  const { gatewayKeys, keyPlaces, placeText, rotateMasterKey } = await import('@sallyport/gateway');
  const config = await configOf(options, context);
  const places = keyPlaces(config, context.env);
  const previous = (await known(() => gatewayKeys(config, context.env))).masterId;
  const target = to === undefined ? undefined : placeIn(to, context);
  const { masterId } = await known(() => rotateMasterKey(places, target === undefined ? {} : { to: target }));
  return { previous, next: masterId, ...(target && { place: placeText(target) }) };
}

async function prepareSigning(options: AdminOptions, context: Context) {
  const { keyPlaces, prepareKey } = await import('@sallyport/gateway');
  const config = await configOf(options, context);
  await known(() => prepareKey(keyPlaces(config, context.env), 'audit-signing', Date.now()));
  return { waits: true };
}

interface Told {
  readonly options: AdminOptions;
  readonly context: Context;
}

function tell(key: string, answer: Readonly<Record<string, unknown>>, { options, context }: Told): void {
  const { next, place, waits, signs } = answer;
  if (options.json) printJson(context, answer);
  else if (key === 'master') {
    print(context, `All keys are wrapped under a new master key: ${String(next)}.`);
    if (place !== undefined)
      say(context, `Say so in the configuration before the next start: it is in ${String(place)}.`);
    say(context, 'Copies of the keys and data that you made before open with the old one alone.');
  } else if (waits === true) {
    print(context, 'The new signing key takes over when the gateway starts.');
  } else if (key === 'audit-signing') {
    print(context, String(next));
    say(context, 'The audit log is signed with this key from now on; the one before vouches for it, on record.');
  } else if (key === 'assertion' && signs !== true) {
    print(context, `Key ${String(next)} is published, and signs in a quarter of an hour. With --now it would at once.`);
  } else print(context, `Key ${String(next)} signs from now on.`);
}

function placeIn(to: string, context: Context): MasterPlace {
  const [, kind, rest = ''] = /^(file|env):(.+)$/.exec(to) ?? [];
  if (kind === 'file') return { file: resolve(context.cwd, rest) };
  if (kind === 'env' && /^[A-Za-z_]\w*$/.test(rest)) return { env: rest };
  throw new CliError('usage', `--to ${to} names no place.`, { hint: 'file:<path> or env:<NAME>.' });
}

/** What the gateway answers, if one runs here. */
async function orNothing<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof CliError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}

/** What keeps keys from being opened is said as it is: it names places, and never what is in them. */
async function known<T>(work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    throw new CliError('failure', error instanceof Error ? error.message : 'The keys cannot be opened.', {
      cause: error,
    });
  }
}
