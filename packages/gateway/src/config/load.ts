import { createHash } from 'node:crypto';
import { lstat, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { hasProblems, loadPolicies } from '../policy/source.ts';
import { withoutAllowed } from '../policy/validate.ts';
import { toFindings } from '../text/findings.ts';
import { type Problem, parseSource, type Source } from '../text/source.ts';
import { checkConfig } from './check.ts';
import { completeConfig } from './complete.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { configJsonSchema } from './json-schema.ts';
import { type ConfigFile, configSchema } from './schema.ts';

/** A configuration that may be used. */
export interface LoadedConfig {
  readonly config: GatewayConfig;
  /** Absolute paths of all files, and folders of files, whose contents it depends on; the first is the configuration itself. */
  readonly files: readonly string[];
  /** SHA-256 over the contents of those files, hex: equal revisions are equal configurations. */
  readonly revision: string;
}

/** Everything that is wrong with a configuration, at once. The message is for a terminal: one problem after the other. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  /** What would have to change: for watching. */
  readonly files: readonly string[];

  constructor(problems: readonly Problem[], files: readonly string[]) {
    super(problems.map(formatProblem).join('\n\n'));
    this.problems = problems;
    this.files = files;
  }
}

const largestFile = 8 * 1024 * 1024;

/** How to read a configuration. */
export interface LoadOptions {
  /** Leaves the files of policies alone, as if there were none: for those who only look for a running gateway. */
  readonly withoutPolicies?: boolean;
}

/**
 * Reads and checks `sallyport.yaml`, and the policies beside it. Executes nothing, fetches nothing, writes nothing.
 *
 * @throws ConfigError naming every problem with file, line and column.
 */
export async function loadConfig(path: string, { withoutPolicies = false }: LoadOptions = {}): Promise<LoadedConfig> {
  const file = resolve(path);
  const text = await readText(file, path);
  const source = parseSource(text, path);
  if (source.problems.length > 0) throw new ConfigError(source.problems, [file]);
  const folder = dirname(file);
  const parsed = configSchema.safeParse(source.value);
  const findings = [
    ...(parsed.success ? [] : toFindings(parsed.error.issues, source.value, configJsonSchema)),
    ...(await checkConfig(source.value, folder)),
  ];
  if (!parsed.success || findings.length > 0)
    throw new ConfigError(problemsOf(findings, source), [file, ...credentialsIn(source.value, folder)]);
  const policies = withoutPolicies
    ? noPolicies
    : await readPolicies(parsed.data, { file, folder, shown: dirname(path) });
  const config = completeConfig(parsed.data, folder, policies);
  const credentials = credentialFiles(config);
  const revision = await revisionOf(`${text}\0${policies.revision}`, credentials);
  return { config, files: [file, ...credentials, ...policies.watched], revision };
}

/** `file:line:column message`, and under it the line. */
export function formatProblem({ file, line, column, message, frame }: Problem): string {
  return frame === '' ? `${file}:${line}:${column} ${message}` : `${file}:${line}:${column} ${message}\n${frame}`;
}

const noPolicies = { files: [], cedar: [], tools: [], revision: '', watched: [] };

interface PolicyPlaces {
  readonly file: string;
  readonly folder: string;
  /** The folder as whoever asked called it: files are named from there in problems. */
  readonly shown: string;
}

async function readPolicies(
  { policy: { files, default: byDefault, attributes } }: ConfigFile,
  { file, folder, shown }: PolicyPlaces,
) {
  const usual = join(folder, 'policies');
  const isThere = files !== undefined || (await mayBeFolder(usual));
  const loaded = await loadPolicies({ paths: files ?? (isThere ? [usual] : []), folder });
  // What is not there now may come.
  const watched = isThere ? loaded.watched : [usual];
  const found = hasProblems(loaded) ? loaded.problems : withoutAllowed(loaded, { default: byDefault, attributes });
  if (!hasProblems(loaded) && found.length === 0) return { ...loaded, watched };
  const problems = found.map((problem) => ({ ...problem, file: join(shown, problem.file) }));
  throw new ConfigError(problems, [file, ...watched]);
}

/** Whether there is a folder, or something that may be one: a link that leads nowhere now, or what nobody may look at. */
async function mayBeFolder(path: string): Promise<boolean> {
  try {
    const there = await lstat(path);
    return there.isDirectory() || there.isSymbolicLink();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

async function readText(file: string, name: string): Promise<string> {
  const refuse = (message: string) => new ConfigError([{ file: name, line: 1, column: 1, message, frame: '' }], [file]);
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw refuse('there is no such file');
  if (found.size > largestFile) throw refuse('the file is larger than 8 MiB');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    throw refuse(error instanceof TypeError ? 'the file is not UTF-8 text' : 'the file cannot be read');
  }
}

function problemsOf(findings: Parameters<Source['locate']>[0][], source: Source): readonly Problem[] {
  return findings.map(source.locate).sort((a, b) => a.line - b.line || a.column - b.column);
}

function credentialFiles(config: GatewayConfig): readonly string[] {
  const announced = config.announce.credentials.map((credential) => credential.file);
  const dialled = Object.values(config.services).flatMap((service) =>
    service.kind === 'static' && service.credential !== undefined ? [service.credential] : [],
  );
  return [...new Set([...announced, ...dialled])];
}

/** The same from data that was refused: when a missing credential file appears, the configuration is worth another look. */
function credentialsIn(data: unknown, folder: string): readonly string[] {
  const parsed = { announce: configSchema.shape.announce, services: configSchema.shape.services };
  const { announce, services } = (data ?? {}) as Record<string, unknown>;
  const files = [
    ...(parsed.announce.safeParse(announce).data?.credentials ?? []).map((credential) => credential.file),
    ...Object.values(parsed.services.safeParse(services).data ?? {}).map((service) => service.credential),
  ];
  return files.filter((file) => typeof file === 'string').map((file) => resolve(folder, file));
}

async function revisionOf(text: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(text);
  for (const file of files) {
    const content = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    hash.update(`\0${file}\0${content}`);
  }
  return hash.digest('hex');
}
