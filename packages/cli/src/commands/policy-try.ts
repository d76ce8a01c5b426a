import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CaseResult, PolicySet, PolicySource, PolicySuite } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { differences } from '../analysis/counter-example.ts';
import type { AnalysedPolicy } from '../analysis/formulas.ts';
import { requestKinds } from '../analysis/kinds.ts';
import { NoSolver, openSolver } from '../analysis/solver.ts';
import { findTools, type KnownTool } from '../check/snapshot.ts';
import { readTests } from '../check/tests.ts';
import { type AdminOptions, administer, configOf } from '../client/admin-client.ts';
import { type Context, configPath, print, printJson } from '../context.ts';
import { CliError } from '../exit.ts';
import { printable, printableJson, printableLine } from '../terminal/style.ts';
import { sourceAt } from './policy-files.ts';

/** `policy test` */
export async function test(named: readonly string[], options: ToolsOptions, context: Context): Promise<void> {
  const files = await readTests(configPath(context, options.config), named, context.cwd);
  if (files.length === 0) {
    const hint = 'Write them into a file *.policy-test.yaml beside the policies.';
    throw new CliError('usage', 'There are no cases.', { hint });
  }
  const ground = groundOf(options, context);
  const results: CaseResult[] = [];
  for (const suite of files.flatMap(({ suites }) => suites)) results.push(...(await runSuite(suite, ground)));
  const failed = results.filter(({ differences: found }) => found.length > 0).length;
  const passed = results.length - failed;
  if (options.json) {
    const cases = results.map(({ case: { name, tool, place }, differences: found }) => ({
      ...{ name, tool, place },
      differences: found,
    }));
    printJson(context, { ok: failed === 0, passed, failed, cases });
  } else print(context, testReport(results, context));
  if (failed > 0) throw new CliError('failure', `${failed} of ${results.length} cases failed.`);
}

/** Options of commands that have to know the tools. */
export interface ToolsOptions extends AdminOptions {
  readonly tools?: string;
}

/** What suites are tried on that bring nothing of their own; asked once, and only when one does not. */
interface Ground {
  readonly tools: () => Promise<readonly KnownTool[]>;
  readonly policies: () => Promise<PolicySet>;
}

function groundOf(options: ToolsOptions, context: Context): Ground {
  let tools: Promise<readonly KnownTool[]> | undefined;
  let policies: Promise<PolicySet> | undefined;
  return {
    tools: () => {
      tools ??= knownTools(options, context);
      return tools;
    },
    policies: () => {
      policies ??= configOf(options, context, { withPolicies: true }).then(({ policy }) => policy);
      return policies;
    },
  };
}

async function knownTools(options: ToolsOptions, context: Context): Promise<readonly KnownTool[]> {
  const snapshot = await findTools(options, context);
  if (snapshot !== undefined) return snapshot.tools;
  throw new CliError('unavailable', 'Nobody knows the tools.', {
    hint: 'Start the gateway, or save its tools with `sallyport check --save-tools`.',
  });
}

async function runSuite(suite: PolicySuite, ground: Ground): Promise<readonly CaseResult[]> {
  const { formatProblem, hasProblems, parsePolicies, runPolicyCases } = await import('@sallyport/gateway');
  const own = suite.policies && (await parsePolicies(suite.policies));
  if (own && hasProblems(own)) throw new CliError('failure', own.problems.map(formatProblem).join('\n\n'));
  const source = own ?? (await ground.policies()).source;
  const settings = suite.settings ?? (await ground.policies()).settings;
  const tools = suite.tools ?? (await ground.tools());
  return runPolicyCases({ policies: { source, settings }, tools: tools as never }, suite.cases);
}

function testReport(results: readonly CaseResult[], { style }: Context): string {
  const lines = results.map(({ case: { name, place }, differences: found }) => {
    const mark = found.length === 0 ? style.green('✓') : style.red('✗');
    const line = `${mark} ${printableLine(name)} ${style.dim(`${place.file}:${place.line}`)}`;
    return [line, ...found.map((difference) => `    ${style.red(printable(difference))}`)].join('\n');
  });
  const failed = results.filter(({ differences: found }) => found.length > 0).length;
  return [...lines, `${results.length - failed} passed, ${failed} failed`].join('\n');
}

/** `policy diff` */
export async function diff(
  [before, after]: readonly [string, string],
  options: ToolsOptions,
  context: Context,
): Promise<void> {
  const tools = await knownTools(options, context);
  const [old, next] = await Promise.all([setOf(before, options, context), setOf(after, options, context)]);
  const solver = await openSolver().catch((error: unknown) => {
    throw error instanceof NoSolver
      ? new CliError('unavailable', 'The solver is not installed.', { hint: 'npm install z3-solver' })
      : error;
  });
  try {
    const versions = { old: await versionOf(old, tools), new: await versionOf(next, tools) };
    const found = await differences(versions, solver);
    if (options.json) return printJson(context, { differences: found });
    if (found.length === 0) return print(context, 'They decide every call the same.');
    const { style } = context;
    for (const one of found) {
      const what = {
        allowed: style.yellow('would be allowed'),
        denied: style.red('would be denied'),
        undecided: style.dim('cannot be compared'),
      }[one.kind];
      const detail = one.kind === 'undecided' ? one.detail : printableJson(one.call, 2);
      print(context, `${style.bold(printableLine(one.tool))}: a call that ${what} now\n${printable(detail)}`);
    }
  } finally {
    solver.close();
  }
}

async function setOf(name: string, options: AdminOptions, context: Context): Promise<PolicySet> {
  const path = resolve(context.cwd, name);
  const { settings } = (await configOf(options, context)).policy;
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return { source: await sourceAt(path), settings };
  const answer = await administer(options, context, 'policies.revision', { revision: name });
  const { fromRevision } = await import('@sallyport/gateway');
  const {
    id,
    files,
    settings: own,
  } = answer as unknown as {
    readonly id: string;
    readonly files: PolicySource['files'];
    readonly settings: JsonObject;
  };
  return fromRevision({ id, files, settingsText: JSON.stringify(own) });
}

async function versionOf({ source, settings }: PolicySet, tools: readonly KnownTool[]) {
  const { cedarSchema, policiesFor } = await import('@sallyport/gateway');
  const { policies } = await policiesFor(source, tools as never);
  const analysed = policies
    .filter(({ shadow: isShadow }) => !isShadow)
    .map(({ id, json, annotations }): AnalysedPolicy => ({ id, json: json as unknown as JsonObject, annotations }));
  const schema = cedarSchema({ tools: tools as never, settings }) as unknown as JsonObject;
  return { policies: analysed, kinds: requestKinds(schema, tools), fallback: settings.default };
}
