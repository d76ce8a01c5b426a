import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openForReading } from './reader.ts';
import { logFolder } from './record.fuzz.ts';
import { type Verification, verifyAudit } from './verify.ts';

/** What the deaths of a writing process did to its log. */
export interface KillReport {
  readonly kills: number;
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
  readonly key: string;
  readonly command?: readonly string[];
}

/** Starts the writing process; `said` gathers its complete lines. */
export function startChild({ path, key, command = [] }: ChildOptions) {
  const script = fileURLToPath(new URL('./child.fuzz.ts', import.meta.url));
  const [program = '', ...args] = [...command, process.execPath, '--conditions=sallyport-source', script, path, key];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const said = () => text.split('\n').slice(0, -1);
  const firstWord = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  return { child, closed, said, begun: Promise.race([firstWord, closed]) };
}

/** Kills a process that writes a log, at random moments, so many times, always on the same log. */
export async function killRepeatedly(kills: number): Promise<KillReport> {
  const place = logFolder();
  const key = randomBytes(32).toString('hex');
  const keys = { head: Buffer.from(key, 'hex') };
  const acknowledged = new Set<string>();
  const verifications: Verification[] = [];
  try {
    for (let kill = 0; kill < kills; kill++) {
      const { child, closed, said, begun } = startChild({ path: place.path, key });
      // Every fifth dies while it starts, if there is a log already.
      if (kill % 5 !== 4) await begun;
      await delay(Math.random() * 300);
      child.kill('SIGKILL');
      await closed;
      for (const line of said()) acknowledged.add(line.replace('ok ', ''));
      verifications.push(await verifyAudit(place.path, keys));
    }
    const { missing, rows } = compare(place.path, acknowledged);
    return { kills, acknowledged: acknowledged.size, missing, rows, verifications };
  } finally {
    place.remove();
  }
}

function compare(path: string, acknowledged: ReadonlySet<string>): { missing: string[]; rows: number } {
  const db = openForReading(path);
  const written = new Set(
    db
      .prepare('SELECT call_id FROM audit')
      .all()
      .map((row) => row.call_id),
  );
  db.close();
  return { missing: [...acknowledged].filter((id) => !written.has(id)), rows: written.size };
}
