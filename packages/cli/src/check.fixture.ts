import type { CheckFinding } from './check/finding.ts';
import { check } from './commands/check.ts';
import type { Context } from './context.ts';
import { CliError } from './exit.ts';
import { createStyle } from './terminal/style.ts';

/** What `sallyport check --json` says in a folder, and how it ends: `ok`, or the kind of its error. */
export async function checkIn(cwd: string, config: string, more: { readonly tools?: string } = {}) {
  let out = '';
  const style = createStyle({ isTty: false, env: {} });
  const context: Context = {
    ...{ cwd, env: {}, style, errorStyle: style },
    stdout: {
      write(text: string) {
        out += text;
      },
    } as Context['stdout'],
    stderr: { write: () => undefined } as unknown as Context['stderr'],
    readStdin: async () => '',
    readPassword: async () => '',
    untilStopped: () => new Promise(() => undefined),
  };
  const code = await check({ config, json: true, solver: true, ...more }, context).then(
    () => 'ok',
    (error: unknown) => {
      if (error instanceof CliError) return error.kind;
      throw error;
    },
  );
  const said = JSON.parse(out) as { readonly findings: readonly CheckFinding[]; readonly notRun: readonly string[] };
  return { ...said, code };
}
