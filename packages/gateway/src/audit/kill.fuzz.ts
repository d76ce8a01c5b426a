import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Durability } from './durability.ts';
import type { AuditSource } from './log-reader.ts';
import { placeIn } from './postgres.fuzz.ts';
import { logFolder } from './record.fuzz.ts';
import { searchAudit } from './search.ts';
import { type Verification, verifyAudit } from './verify.ts';

/** What the deaths of a writing process did to its log. */
export interface KillReport {
  /** How many processes really died of the kill. */
  readonly kills: number;
  /** How many had died of something else before it reached them. */
  readonly deadBefore: number;
  /** Records whose acknowledgement was seen before the process died. */
  readonly acknowledged: number;
  /** Call ids that were acknowledged and are not in the log. Must be empty. */
  readonly missing: readonly string[];
  /** How many rows the log has in the end. */
  readonly rows: number;
  readonly verifications: readonly Verification[];
}

/** How a writing process is started. `command` goes before Node's own, to set limits. */
export interface ChildOptions {
  readonly path: string;
  /** The database of the log, if it is not at `path`: that is where what the process says is kept then. */
  readonly url?: string;
  readonly key: string;
  readonly command?: readonly string[];
  /** What its records outlive; default `process`. */
  readonly durability?: Durability;
}

/** Starts the writing process; `said` are its complete lines, `acknowledged` the call ids in them. */
export function startChild({ path, url, key, command = [], durability = 'process' }: ChildOptions) {
  const script = fileURLToPath(new URL('./child.fuzz.ts', import.meta.url));
  const [program = '', ...args] = [
    ...command,
    process.execPath,
    '--conditions=sallyport-source',
    script,
    url ?? path,
    key,
    durability,
  ];
  // A file, not a pipe: what was written to it stays written, whole lines and in order, however slowly it is read.
  const output = `${path}.said-${randomBytes(4).toString('hex')}`;
  const file = openSync(output, 'a');
  const child = spawn(program, args, { stdio: ['pipe', file, 'inherit'] });
  closeSync(file);
  let over = false;
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      over = true;
      resolve();
    });
  });
  const said = () => readFileSync(output, 'utf8').split('\n').slice(0, -1);
  const acknowledged = () => said().flatMap((line) => (line.startsWith('ok ') ? [line.slice(3)] : []));
  const begun = async () => {
    while (!over && said().length === 0) await delay(5);
  };
  return { child, closed, said, acknowledged, begun };
}

/** Kills a process that writes a log, at random moments, so many times, always on the same log: a file, or in the database of a URL. */
export async function killRepeatedly(kills: number, url?: string): Promise<KillReport> {
  const place = logFolder();
  const log = url === undefined ? place.path : placeIn(url).path;
  const key = randomBytes(32).toString('hex');
  const acknowledged = new Set<string>();
  const verifications: Verification[] = [];
  let killed = 0;
  try {
    for (let kill = 0; kill < kills; kill++) {
      const {
        child,
        closed,
        acknowledged: ids,
        begun,
      } = startChild({ path: place.path, key, ...(url !== undefined && { url }) });
      // Every fifth dies while it starts, if there is a log already.
      if (kill % 5 !== 4) await begun();
      await delay(Math.random() * 300);
      child.kill('SIGKILL');
      await closed;
      if (child.signalCode === 'SIGKILL') killed++;
      for (const id of ids()) acknowledged.add(id);
      verifications.push(await verifyAudit(log));
    }
    const { missing, rows } = await compare(log, acknowledged);
    return { kills: killed, deadBefore: kills - killed, acknowledged: acknowledged.size, missing, rows, verifications };
  } finally {
    place.remove();
  }
}

async function compare(
  log: AuditSource,
  acknowledged: ReadonlySet<string>,
): Promise<{ missing: string[]; rows: number }> {
  const rows = await searchAudit(log, {}, { limit: Number.MAX_SAFE_INTEGER });
  const written = new Set<string>(rows.map(({ record }) => (record.kind === 'refusals' ? '' : record.callId)));
  return { missing: [...acknowledged].filter((id) => !written.has(id)), rows: written.size };
}
