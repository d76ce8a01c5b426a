import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** What came of verifying a file. */
export interface Verdict {
  readonly ok: boolean;
  /** What is wrong, in the first line that says so; and which record that is, where it is known. */
  readonly finding?: string;
  readonly record?: number;
}

/** Somebody with a folder of files and the program, and no gateway. */
export interface Auditor {
  /** `sallyport audit verify` with these words. */
  verify(...words: readonly string[]): Promise<Verdict>;
}

const entry = fileURLToPath(import.meta.resolve('@sallyport/cli'));
const main = join(dirname(entry), entry.endsWith('.ts') ? 'main.ts' : 'main.js');
const nodeArgs = [...(entry.endsWith('.ts') ? ['--conditions=sallyport-source'] : []), main];
const verdict = z.looseObject({
  ok: z.boolean(),
  findings: z.array(z.looseObject({ seq: z.int(), kind: z.string(), detail: z.string() })),
});

/** Lets an auditor work in a folder; says which commands it runs. */
export function createAuditor(folder: string, say: (text: string) => void): Auditor {
  return {
    verify: (...words) => {
      say(`$ sallyport audit verify ${words.join(' ')}`);
      const args = [...nodeArgs, 'audit', 'verify', ...words, '--json'];
      return new Promise((resolve, reject) => {
        execFile(process.execPath, args, { cwd: folder }, (error, stdout) => {
          const read = verdict.safeParse(jsonIn(stdout));
          if (!read.success) return reject(error ?? new Error(`it said nothing that can be read: ${stdout}`));
          const { ok, findings } = read.data;
          const [first] = findings;
          if (ok || first === undefined) return resolve({ ok });
          const { seq, kind, detail } = first;
          resolve({ ok, finding: `record ${seq}: ${kind}: ${detail}`, record: seq });
        });
      });
    },
  };
}

/** The first line: what is said of an error comes after it. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text.split('\n')[0] ?? '');
  } catch {
    return undefined;
  }
}
