import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sallyport } from './support/gateway.ts';
import { endAll, repository, startNode, temporaryFolder } from './support/program.ts';

afterAll(endAll);

it.each(['blog', 'refund'])(
  'a check finds nothing in the example %s, and its policy tests pass',
  async (name) => {
    const config = [
      '--config',
      join(repository, 'examples', name, 'sallyport.yaml'),
      '--data',
      join(temporaryFolder(), 'data'),
    ];
    const free = ['--port', '0', '--admin-port', '0', '--no-watch', '--json'];
    const gateway = startNode([...sallyport, 'run', ...config, ...free]);
    await gateway.firstLine();
    const run = async (...words: readonly string[]) => {
      const program = startNode([...sallyport, ...words, ...config, '--json'], { env: { NO_COLOR: '1' } });
      return { code: await program.ended, said: JSON.parse(program.stdout() || '{}') };
    };
    const checked = await run('check', '--strict');
    expect(checked.said).toMatchObject({ findings: [], notRun: [] });
    expect(checked.code).toBe(0);
    if (name === 'refund')
      expect(await run('policy', 'test')).toMatchObject({ code: 0, said: { failed: 0, passed: 4 } });
  },
  60_000,
);
