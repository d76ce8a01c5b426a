import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { PolicySuite } from '@sallyport/gateway';
import { CliError } from '../exit.ts';

/** Cases of policies in a file. */
export interface TestFile {
  /** From the folder of the configuration. */
  readonly name: string;
  readonly suites: readonly PolicySuite[];
}

const ending = '.policy-test.yaml';
const largest = 1024 * 1024;

/**
 * Reads files of policy cases: those that are named, or all (`*.policy-test.yaml`) in the folder of the configuration and below it.
 *
 * @throws CliError `failure` naming file, line and column.
 */
export async function readTests(config: string, named: readonly string[], cwd: string): Promise<readonly TestFile[]> {
  const { formatProblem, readPolicyCases } = await import('@sallyport/gateway');
  const folder = dirname(resolve(config));
  const paths = named.length > 0 ? named.flatMap((path) => testsAt(resolve(cwd, path))) : testsAt(folder);
  const problems: string[] = [];
  const files = paths.map((path): TestFile => {
    const name = relative(folder, path) || path;
    const { suites, problems: found } = readPolicyCases(textOf(path), name);
    problems.push(...found.map(formatProblem));
    return { name, suites };
  });
  if (problems.length > 0) throw new CliError('failure', problems.join('\n\n'));
  return files;
}

function testsAt(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError('usage', `There is no ${path}.`);
  if (!found.isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !/(?:^|[\\/])(?:node_modules|\.[^\\/]+)[\\/]/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function textOf(path: string): string {
  const content = readFileSync(path);
  if (content.length > largest) throw new CliError('usage', `${path} is larger than 1 MiB.`);
  return content.toString('utf8');
}
