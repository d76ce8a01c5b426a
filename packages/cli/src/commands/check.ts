import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { compilePattern } from '@sallyport/core';
import type { GatewayConfig } from '@sallyport/gateway';
import { type CheckFinding, finding, inOrder } from '../check/finding.ts';
import { openFindings } from '../check/open.ts';
import { problemFinding, reasonedFindings, saidOf, typeFindings, wantedIn } from '../check/policies.ts';
import { toSarif } from '../check/sarif.ts';
import { secretFindings } from '../check/secrets.ts';
import { findTools, type KnownTool, snapshotName } from '../check/snapshot.ts';
import { readTests } from '../check/tests.ts';
import { toolFindings } from '../check/tools.ts';
import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, configPath, print, printJson } from '../context.ts';
import { CliError } from '../exit.ts';
import { printableLine, type Style } from '../terminal/style.ts';
import { version } from '../version.ts';

/** Options of `sallyport check`. */
export interface CheckOptions extends AdminOptions {
  readonly tools?: string;
  readonly saveTools?: boolean;
  readonly strict?: boolean;
  readonly sarif?: boolean;
  readonly solver: boolean;
}

interface Checked {
  readonly findings: readonly CheckFinding[];
  /** What was not looked at, and why. */
  readonly notRun: readonly string[];
}

/**
 * Looks for mistakes in a configuration and its policies.
 *
 * @throws CliError `failure` when an error was found, or under `--strict` a warning, after everything was printed.
 */
export async function check(options: CheckOptions, context: Context): Promise<void> {
  const path = configPath(context, options.config);
  if (options.saveTools) return saveTools(path, options, context);
  const { findings, notRun } = await examine(path, options, context);
  const shown = inOrder(findings).map((one) => withShownPath(one, path, context.cwd));
  const errors = shown.filter(({ level }) => level === 'error').length;
  const warnings = shown.filter(({ level }) => level === 'warning').length;
  if (options.sarif) printJson(context, toSarif(shown, version));
  else if (options.json) printJson(context, { ok: errors === 0, errors, warnings, findings: shown, notRun });
  else print(context, reportText(shown, { notRun, style: context.style }));
  if (errors > 0 || (options.strict === true && warnings > 0)) {
    throw new CliError('failure', `${count(errors, 'error')}, ${count(warnings, 'warning')}.`);
  }
}

async function saveTools(config: string, options: CheckOptions, context: Context): Promise<void> {
  const file = join(dirname(config), snapshotName);
  const catalog = await administer(options, context, 'catalog.show');
  writeFileSync(file, `${JSON.stringify(catalog, null, 2)}\n`);
  print(
    context,
    `The tools there are now are in ${file}: keep it with the policies, for checks where no gateway runs.`,
  );
}

async function examine(path: string, options: CheckOptions, context: Context): Promise<Checked> {
  const { ConfigError, loadConfig } = await import('@sallyport/gateway');
  try {
    const { config, files } = await loadConfig(path);
    return await examineConfig({ path, config, files }, options, context);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const findings = error.problems.map(({ message, file, line, column }) => {
      const place = { file, line, column };
      return sameFile(file, path) ? configFinding(message, place) : problemFinding(message, place);
    });
    return { findings, notRun: ['everything else: the configuration has to be mended first'] };
  }
}

interface Loaded {
  readonly path: string;
  readonly config: GatewayConfig;
  readonly files: readonly string[];
}

async function examineConfig({ path, config }: Loaded, options: CheckOptions, context: Context): Promise<Checked> {
  const text = readFileSync(path, 'utf8');
  const written = [{ name: path, text }, ...config.policy.source.files];
  const always = [...written.flatMap(secretFindings), ...openFindings(config, { path, text })];
  const snapshot = await findTools(options, context);
  if (snapshot === undefined) {
    const why = `no gateway runs and there is no ${snapshotName} beside the configuration`;
    return { findings: always, notRun: [`checks of policies and tools (${why})`] };
  }
  const { tools } = snapshot;
  const checked = { source: config.policy.source, settings: config.policy.settings, tools };
  const types = await typeFindings(checked);
  const tests = await readTests(path, [], context.cwd);
  const tested = tests.flatMap(({ suites }) => suites.flatMap(({ cases }) => cases.map(({ tool }) => tool)));
  const said = { ...saidOf(config.policy, tools), tested: new Set(tested) };
  const findings = [
    ...always,
    ...types,
    ...unknownPatterns(config, tools, { path, text }),
    ...toolFindings(tools, said),
  ];
  // What does not fit its types means nothing to a solver.
  if (types.some(({ level }) => level === 'error')) {
    return { findings, notRun: ['the solver: policies have to fit their types first'] };
  }
  if (!options.solver) return { findings, notRun: ['the solver: --no-solver'] };
  const reasoned = await reasonedFindings(checked, progress(options, context));
  return {
    findings: [...findings, ...reasoned.findings],
    notRun: reasoned.notRun === undefined ? [] : [reasoned.notRun],
  };
}

function progress(options: CheckOptions, { stderr, errorStyle }: Context): (done: number, of: number) => void {
  let toldMs = performance.now();
  return (done, of) => {
    if (options.json || options.sarif || performance.now() - toldMs < 2_000) return;
    toldMs = performance.now();
    stderr.write(`${errorStyle.dim(`the solver: ${done} of ${of} tools`)}\n`);
  };
}

/** Overrides and views of a configuration that are about nothing. */
function unknownPatterns(
  { tools: overrides }: GatewayConfig,
  tools: readonly KnownTool[],
  { path, text }: { readonly path: string; readonly text: string },
): readonly CheckFinding[] {
  return overrides.flatMap(({ pattern }) => {
    // Prompts and resources have a slash in their names, and are in no snapshot.
    if (pattern.includes('/') || tools.some(({ name }) => compilePattern(pattern)(name))) return [];
    const at = text.indexOf(pattern);
    const before = text.slice(0, Math.max(0, at)).split('\n');
    return [
      finding('unknown-tool', `no tool is called ${pattern}`, {
        place: { file: path, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 },
        suggestion: suggested(pattern, tools),
      }),
    ];
  });
}

function suggested(pattern: string, tools: readonly KnownTool[]): string {
  const service = pattern.split('.')[0];
  const near = tools.filter(({ name }) => name.startsWith(`${service}.`)).map(({ name }) => name);
  return near.length === 0 ? 'No service of that name is known.' : `There are ${near.slice(0, 5).join(', ')}.`;
}

function withShownPath(one: CheckFinding, config: string, cwd: string): CheckFinding {
  if (one.place === undefined) return one;
  const path = relative(cwd, resolve(dirname(config), one.place.file));
  return { ...one, place: { ...one.place, file: path } };
}

function sameFile(one: string, other: string): boolean {
  return resolve(one) === resolve(other);
}

function configFinding(text: string, place: NonNullable<CheckFinding['place']>): CheckFinding {
  const [, message = text, nearest] = /^(.*?); (did you mean .*)$/s.exec(text) ?? [];
  const suggestion = nearest === undefined ? wantedIn(message) : upper(nearest);
  return finding('config', message, {
    place,
    suggestion: suggestion ?? 'docs/configuration.md says what may stand here.',
  });
}

function upper(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function reportText(
  findings: readonly CheckFinding[],
  { notRun, style }: { readonly notRun: readonly string[]; readonly style: Style },
): string {
  const paint = { error: style.red, warning: style.yellow, note: style.dim } as const;
  const lines = findings.map(({ rule, level, message, suggestion, place }) => {
    const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column} `;
    const line = `${where}${paint[level](level)} ${printableLine(message)} ${style.dim(`[${rule}]`)}`;
    return suggestion === undefined ? line : `${line}\n    ${style.dim(`→ ${printableLine(suggestion)}`)}`;
  });
  const nothing = findings.length === 0 ? [style.green('✓ Nothing was found.')] : [];
  return [...lines, ...nothing, ...notRun.map((what) => style.dim(`not run: ${what}`))].join('\n');
}
