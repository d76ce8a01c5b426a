import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

// These run with every kind of database there is: `npm test` ran them with SQLite only.
const withServers = ['test/postgres/*.test.ts', 'packages/gateway/src/audit/{contract,postgres}.test.ts'];

/** What takes too long for every run of the tests: whole programs, faults, packed packages, servers of databases. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['**/*.ci.test.ts', ...withServers],
    env: {},
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // They measure and kill processes: one file at a time, so that they do not disturb each other.
    fileParallelism: false,
  },
});
