import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { follow, fromSource, inRoot } from './launch.mjs';

/**
 * Runs vitest and counts. What fails outside a test (a file that does not load, an error nobody caught) counts as one
 * failed test, so that the numbers can never look better than the exit code.
 *
 * @param {{ node: string, env: NodeJS.ProcessEnv }} runtime
 * @param {readonly string[]} args for `vitest run`
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function runVitest({ node, env }, args) {
  const folder = inRoot('out/test');
  const report = `${folder}/report-${process.pid}.json`;
  mkdirSync(folder, { recursive: true });
  rmSync(report, { force: true });
  const command = [fromSource, inRoot('node_modules/vitest/vitest.mjs'), 'run', ...args];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  // What a shell was told about a gateway (`export SALLYPORT_CONFIG=…`) is nothing for the tests to go by.
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SALLYPORT_')));
  const code = await follow(spawn(node, [...command, ...reporters], { cwd: inRoot('.'), env: own, stdio: 'inherit' }));
  const counts = count(report);
  rmSync(report, { force: true });
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function count(report) {
  let result;
  try {
    result = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const broken = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + broken.length,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
