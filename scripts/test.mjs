// `npm test [-- files and vitest options]`. The last line is `N passed, N failed`.
import { bootstrap } from './bootstrap.mjs';
import { runVitest } from './vitest.mjs';

try {
  const { passed, failed, skipped } = await runVitest(await bootstrap('full'), process.argv.slice(2));
  if (skipped > 0) process.stdout.write(`\n${skipped} skipped\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
