import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startGateway, writeConfig } from './support/gateway.ts';
import { callOnce, startLoad, tally } from './support/load.ts';
import { endAll, repository, temporaryFolder, until } from './support/program.ts';

afterEach(endAll);

it('a service whose source changes under load is replaced without one call failing', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'service'));
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const source = join(folder, 'service', 'one.ts');
  const text = readFileSync(join(import.meta.dirname, 'support/trials.ts'), 'utf8');
  writeFileSync(source, text);
  const config = writeConfig(
    folder,
    `services:\n  one: { command: [node, one.ts, one], cwd: service, watch: [one.ts] }\nlimits: { presets: { read: { rate: 100000, burst: 100000 } } }\n`,
  );
  const gateway = await startGateway('run', config, { watch: true });
  const calls = { mcp: gateway.mcp, token: gateway.token, tool: 'one.Trial.Who' };
  const load = startLoad({ ...calls, tool: 'one.Trial.Wait', input: { ms: 3 } }, 8);
  for (const round of [1, 2, 3]) {
    const { pid } = (await callOnce(calls)).result;
    writeFileSync(source, `${text}\n// changed ${round} times\n`);
    await until(async () => (await callOnce(calls)).result?.pid !== pid, 'another process answers');
  }
  expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
});
