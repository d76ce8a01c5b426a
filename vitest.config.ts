import { defineConfig } from 'vitest/config';

const conditions = ['sallyport-source', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    // Slow ones, for continuous integration: vitest.ci.config.ts.
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.ci.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Child processes and worker threads started by tests resolve workspaces to their sources too.
    execArgv: ['--conditions=sallyport-source'],
    pool: 'forks',
  },
});
