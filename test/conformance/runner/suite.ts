import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { eachLine, startChild } from './child.ts';
import type { Row } from './compare.ts';

/** One run of the official suite. */
export interface SuiteRun {
  /** Who is tested: a server at a URL, a client that a command starts, or an authorization server. */
  readonly subject: { readonly url: string } | { readonly command: string } | { readonly issuer: string };
  /** Options of the suite that select what is run. */
  readonly select: readonly string[];
  /** Where the suite puts its results; emptied first. */
  readonly folder: string;
  readonly onScenario: (name: string) => void;
  /** Told what the suite says. */
  readonly onLine?: (line: string) => void;
  readonly signal: AbortSignal;
}

const packageName = '@modelcontextprotocol/conformance';
const longestRunMs = 10 * 60_000;

/** The version of the suite that is installed. */
export function suiteVersion(): string {
  const { version } = JSON.parse(readFileSync(join(suiteFolder(), 'package.json'), 'utf8')) as { version: string };
  return `${packageName}@${version}`;
}

/** Runs the suite and returns all of its checks in order. A scenario that broke is one failed check of its own name. */
export async function runSuite(run: SuiteRun): Promise<readonly Row[]> {
  rmSync(run.folder, { recursive: true, force: true });
  mkdirSync(run.folder, { recursive: true });
  const scenarios: string[] = [];
  const said: string[] = [];
  const signal = AbortSignal.any([run.signal, AbortSignal.timeout(longestRunMs)]);
  const child = startChild(argumentsOf(run), { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const onLine = (line: string): void => {
    said.push(line);
    run.onLine?.(line);
    const name =
      /^=== Running scenario: (.+) ===$|^Starting scenario: (.+)$|^Running client scenario (?:for authorization server )?'(.+)' against/.exec(
        line,
      );
    const scenario = name?.[1] ?? name?.[2] ?? name?.[3];
    if (scenario === undefined || scenarios.includes(scenario)) return;
    scenarios.push(scenario);
    run.onScenario(scenario);
  };
  await Promise.all([eachLine(child.process.stdout, onLine), eachLine(child.process.stderr, onLine), child.ended]);
  run.signal.throwIfAborted();
  if (scenarios.length === 0) throw new Error(`the suite ran nothing:\n${said.slice(-10).join('\n')}`);
  return scenarios.flatMap((scenario) => rowsOf(run.folder, scenario));
}

function argumentsOf({ subject, select, folder }: SuiteRun): string[] {
  const program = join(suiteFolder(), 'dist', 'index.js');
  return [program, ...wordsFor(subject), ...select, '--output-dir', folder];
}

function wordsFor(subject: SuiteRun['subject']): readonly string[] {
  if ('url' in subject) return ['server', '--url', subject.url];
  return 'issuer' in subject ? ['authorization', '--url', subject.issuer] : ['client', '--command', subject.command];
}

function suiteFolder(): string {
  const require = createRequire(import.meta.url);
  const paths = require.resolve.paths(packageName) ?? [];
  const found = globSync(paths.map((path) => `${path}/${packageName}/package.json`))[0];
  if (found === undefined) throw new Error(`${packageName} is not installed; npm run conformance installs it`);
  return dirname(found);
}

interface Check {
  readonly id: string;
  readonly status: Row['status'];
  readonly errorMessage?: string;
}

function rowsOf(folder: string, scenario: string): readonly Row[] {
  const [file] = globSync(
    ['', 'server-', 'authorization-server-'].map(
      (prefix) => `${folder}/${prefix}${scenario}-????-??-??T*Z/checks.json`,
    ),
  );
  if (file === undefined) return [{ scenario, check: scenario, status: 'FAILURE', message: 'the scenario broke' }];
  const checks = JSON.parse(readFileSync(file, 'utf8')) as readonly Check[];
  return checks.map(({ id, status, errorMessage }) => ({
    scenario,
    check: id,
    status,
    ...(errorMessage !== undefined && { message: errorMessage }),
  }));
}
