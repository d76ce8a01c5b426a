import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** What takes too long for every run of the tests: whole programs, faults, packed packages. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['**/*.ci.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // They measure and kill processes: one file at a time, so that they do not disturb each other.
    fileParallelism: false,
  },
});
