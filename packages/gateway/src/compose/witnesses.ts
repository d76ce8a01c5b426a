import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../config/index.ts';
import { createReadSecret } from '../credentials/secret.ts';
import { createGuardedFetch, type GuardedConnectorOptions, type GuardedFetch } from '../egress/index.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import { isOfThisMachine } from './guarded.ts';

/** Those who are sent checkpoints of the audit log, so that they can tell later whether it was cut or written anew. */
export interface Witnesses {
  /** Sends a checkpoint to each: now, or once it answers again. Never throws, and nothing waits for it. */
  tell(note: string): void;
  /** How each is doing. */
  stats(): readonly WitnessStats[];
  /** Sends what is left, for a short while. */
  close(): Promise<void>;
}

/** How one witness is doing. Times are milliseconds since the epoch. */
export interface WitnessStats {
  readonly url: string;
  readonly state: 'waiting' | 'ok' | 'failing';
  /** Checkpoints that it has taken. */
  readonly taken: number;
  readonly takenAtMs?: number;
  /** Why the last attempt failed. */
  readonly failure?: string;
}

/** What witnesses are told by. */
export interface WitnessesParts {
  readonly config: Pick<GatewayConfig, 'audit'>;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'> | undefined;
}

type WitnessConfig = GatewayConfig['audit']['webhooks'][number];

const firstRetryMs = 1_000;
const mostRetryMs = 300_000;
const longestCloseMs = 3_000;

/** Makes the witnesses that a configuration names. Of checkpoints that one could not take the newest says all that the others did. */
export function createWitnesses(parts: WitnessesParts): Witnesses {
  const made = parts.config.audit.webhooks.map((webhook) => createWitness(webhook, parts));
  return {
    tell: (note) => {
      for (const witness of made) witness.tell(note);
    },
    stats: () => made.map(({ stats }) => stats()),
    close: async () => void (await Promise.all(made.map(({ close }) => close()))),
  };
}

/** As `gateway.status` has it. */
export function witnessFacts({ stats }: Pick<Witnesses, 'stats'>): readonly JsonObject[] {
  return stats().map(({ takenAtMs, ...rest }) => ({
    ...rest,
    ...(takenAtMs !== undefined && { takenAt: new Date(takenAtMs).toISOString() }),
  }));
}

function createWitness({ url, token, ranges }: WitnessConfig, { log, nowMs, env, egress }: WitnessesParts) {
  const guarded = createGuardedFetch({ ...egress, allow: { loopback: isOfThisMachine(url), ranges }, maxBytes: 4096 });
  const readSecret = createReadSecret({ readFile: readPrivateFile, env });
  const ended = new AbortController();
  let stats: WitnessStats = { url, state: 'waiting', taken: 0 };
  let waiting: string | undefined;
  let running: Promise<void> | undefined;

  const attempt = async (note: string): Promise<boolean> => {
    try {
      await post(guarded.fetch, { url, note, secret: token && readSecret(token) });
      if (stats.state === 'failing') log.info({ url }, 'a witness of the audit log takes checkpoints again');
      stats = { url, state: 'ok', taken: stats.taken + 1, takenAtMs: nowMs() };
      return true;
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      if (stats.state !== 'failing') log.error({ url, failure }, 'a witness of the audit log takes no checkpoints');
      stats = { ...stats, state: 'failing', failure };
      return false;
    }
  };
  const work = async (): Promise<void> => {
    for (let retryMs = firstRetryMs; waiting !== undefined; ) {
      const note = waiting;
      if (await attempt(note)) {
        if (waiting === note) waiting = undefined;
        retryMs = firstRetryMs;
        continue;
      }
      if (ended.signal.aborted) return;
      await delay(retryMs, undefined, { signal: ended.signal, ref: false }).catch(() => undefined);
      retryMs = Math.min(mostRetryMs, retryMs * 2);
    }
  };
  const start = (): void => {
    running ??= work().finally(() => {
      running = undefined;
    });
  };
  return {
    stats: () => stats,
    tell: (note: string) => {
      waiting = note;
      start();
    },
    close: async () => {
      ended.abort();
      await Promise.race([running, delay(longestCloseMs, undefined, { ref: false })]);
      await guarded.close();
    },
  };
}

interface Posted {
  readonly url: string;
  readonly note: string;
  readonly secret: string | undefined;
}

async function post(fetch: GuardedFetch, { url, note, secret }: Posted): Promise<void> {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(secret !== undefined && { Authorization: `Bearer ${secret}` }),
  };
  const answer = await fetch(url, { method: 'POST', headers, body: note });
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
}
