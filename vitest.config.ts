import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// No `import`: it would hold for what CommonJS packages require, too.
const conditions = ['sallyport-source', 'node'];

// Tests start hundreds of programs: each source is compiled once for all of them.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'out/compile-cache');

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    // Slow ones, for continuous integration: vitest.ci.config.ts.
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.ci.test.ts'],
    testTimeout: 20_000,
    // What is waited for comes some time, on a machine with much else to do too; a second of the clock is no bound of ours.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 20_000,
    // Child processes and worker threads started by tests resolve workspaces to their sources too.
    execArgv: ['--conditions=sallyport-source'],
    // What needs a server of a database runs with vitest.ci.config.ts, whether or not this machine has one.
    env: { TESTS_WITHOUT_SERVERS: 'yes' },
    pool: 'forks',
    // Most tests wait for programs, sockets and clocks: one file more than there are processors keeps them busy.
    maxWorkers: availableParallelism() + 1,
  },
});
