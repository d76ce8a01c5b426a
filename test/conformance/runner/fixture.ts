import { join } from 'node:path';
import { eachLine, startChild } from './child.ts';

/** A fixture server in a process of its own. */
export interface RunningFixture {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a fixture server on a free port. It ends with this process, however this process ends. */
export async function startFixtureProcess(signal: AbortSignal): Promise<RunningFixture> {
  const program = join(import.meta.dirname, '..', 'fixture-server.ts');
  const child = startChild([program], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], signal });
  const url = await new Promise<string>((resolve, reject) => {
    void eachLine(child.process.stdout, (line) => resolve((JSON.parse(line) as { url: string }).url)).catch(reject);
    child.ended.then((code) => reject(new Error(`the fixture ended at once (exit code ${code})`)), reject);
  });
  return { url, stop: child.stop };
}
