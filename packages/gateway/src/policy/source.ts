import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { PolicyFile } from '@sallyport/core';
import type { Problem } from '../text/source.ts';
import { isReservedId } from './annotations.ts';
import { type Cedar, loadCedar } from './cedar.ts';
import { readCedarText } from './cedar-file.ts';
import { readToolPolicies, stemOf, type ToolPolicy } from './tool-file.ts';
import type { CedarPolicy } from './types.ts';

/** All policies of some files, read but not yet made for the tools of a catalog. */
export interface PolicySource {
  /** Sorted by name. */
  readonly files: readonly PolicyFile[];
  /** Policies in Cedar, in the order of the files. */
  readonly cedar: readonly CedarPolicy[];
  readonly tools: readonly ToolPolicy[];
  /** SHA-256 over names and texts of the files, hex. */
  readonly revision: string;
}

/** What is wrong with policies, all of it, and which files would have to change. */
export interface PolicyProblems {
  readonly problems: readonly Problem[];
  /** Absolute paths. */
  readonly watched: readonly string[];
}

/** Where policies are. */
export interface PolicyPaths {
  /** Files, and folders that are searched through and through. Absolute, or relative to `folder`. */
  readonly paths: readonly string[];
  /** Where relative paths, and the names of files in problems, begin. */
  readonly folder: string;
}

const largestFile = 1024 * 1024;
const mostFiles = 10_000;

/** Reads policies from the disk: `*.cedar`, `*.policy.yaml` and `*.policy.yml`. Whatever else is there is left alone. */
export async function loadPolicies(
  where: PolicyPaths,
): Promise<(PolicySource & { readonly watched: readonly string[] }) | PolicyProblems> {
  const { found, problems, folders } = await findFiles(where);
  const files: PolicyFile[] = [];
  for (const path of found) {
    const name = nameOf(where.folder, path);
    const text = await readText(path);
    if (typeof text === 'string') files.push({ name, text });
    else problems.push({ file: name, line: 1, column: 1, message: text.problem, frame: '' });
  }
  const watched = [...folders, ...found];
  const source = await parsePolicies(files);
  if (problems.length > 0)
    return { problems: [...problems, ...('problems' in source ? source.problems : [])], watched };
  return { ...source, watched };
}

/** The same for texts that are there already: revisions that were kept, and files that are only looked at. */
export async function parsePolicies(
  given: readonly PolicyFile[],
): Promise<PolicySource | Omit<PolicyProblems, 'watched'>> {
  const files = [...given].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const cedar = files.length === 0 ? undefined : await loadCedar();
  const policies: CedarPolicy[] = [];
  const tools: ToolPolicy[] = [];
  const problems: Problem[] = [];
  for (const { name, text } of files) {
    if (isToolFile(name)) {
      const read = readToolPolicies(text, name);
      tools.push(...read.policies);
      problems.push(...read.problems);
    } else {
      const read = readCedarText(cedar as Cedar, text, name);
      policies.push(...read.policies);
      problems.push(...read.problems);
    }
  }
  problems.push(...repeated(policies), ...sameStem(files), ...reservedStem(files));
  if (problems.length > 0) return { problems };
  return { files, cedar: policies, tools, revision: revisionOf(files) };
}

/** Whether a loader met problems. */
export function hasProblems<Good extends object>(
  read: Good | Omit<PolicyProblems, 'watched'>,
): read is Omit<PolicyProblems, 'watched'> {
  return 'problems' in read;
}

function revisionOf(files: readonly PolicyFile[]): string {
  const hash = createHash('sha256');
  for (const { name, text } of files) {
    hash.update(`${name}\0${createHash('sha256').update(text).digest('hex')}\0`);
  }
  return hash.digest('hex');
}

function repeated(policies: readonly CedarPolicy[]): readonly Problem[] {
  const first = new Map<string, CedarPolicy>();
  return policies.flatMap((policy) => {
    const before = first.get(policy.id);
    first.set(policy.id, before ?? policy);
    if (before?.place === undefined || policy.place === undefined) return [];
    const { file, line } = before.place;
    return [
      { ...policy.place, message: `@id("${policy.id}") is the name of another policy, at ${file}:${line}`, frame: '' },
    ];
  });
}

/** The ids of rules begin with the name of their file, so two files of one name could not be told apart. */
function sameStem(files: readonly PolicyFile[]): readonly Problem[] {
  const first = new Map<string, string>();
  return files
    .filter(({ name }) => isToolFile(name))
    .flatMap(({ name }) => {
      const stem = stemOf(name);
      const before = first.get(stem);
      first.set(stem, before ?? name);
      if (before === undefined) return [];
      const message = `${before} has the same name, by which rules are known: rename one of them`;
      return [{ file: name, line: 1, column: 1, message, frame: '' }];
    });
}

/** Records know what decides by the names of files as well. */
function reservedStem(files: readonly PolicyFile[]): readonly Problem[] {
  return files
    .filter(({ name }) => isToolFile(name) && isReservedId(`${stemOf(name)}/`))
    .map(({ name }) => {
      const message = `the gateway itself decides under the name ${stemOf(name)}: give the file another one`;
      return { file: name, line: 1, column: 1, message, frame: '' };
    });
}

function isToolFile(name: string): boolean {
  return /\.policy\.ya?ml$/.test(name);
}

function isPolicyFile(name: string): boolean {
  return isToolFile(name) || name.endsWith('.cedar');
}

function nameOf(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/');
}

interface Found {
  readonly found: readonly string[];
  readonly folders: readonly string[];
  readonly problems: Problem[];
}

async function findFiles({ paths, folder }: PolicyPaths): Promise<Found> {
  const found = new Set<string>();
  const folders: string[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const absolute = resolve(folder, path);
    const there = await stat(absolute).catch(() => undefined);
    const file = nameOf(folder, absolute);
    const refuse = (message: string) => problems.push({ file, line: 1, column: 1, message, frame: '' });
    if (there?.isDirectory()) {
      folders.push(absolute);
      const inside = await filesIn(absolute);
      if (typeof inside === 'string') refuse(inside);
      else for (const name of inside) found.add(name);
    } else if (there === undefined) {
      refuse('there is no such file or folder');
      folders.push(absolute);
    } else if (isPolicyFile(absolute)) found.add(absolute);
    else refuse('expected a file *.cedar or *.policy.yaml, or a folder of them');
  }
  if (found.size > mostFiles)
    problems.push({ file: paths.join(', '), line: 1, column: 1, message: `more than ${mostFiles} files`, frame: '' });
  return { found: [...found].sort().slice(0, mostFiles), folders, problems };
}

/** What is in a folder; or why that cannot be known: policies that nobody sees must not be taken for none. */
async function filesIn(folder: string): Promise<readonly string[] | string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return 'the folder, or one in it, cannot be read';
  const visible = entries
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ path }) => !isHidden(relative(folder, path)));
  for (const { entry, path } of visible) {
    if (!entry.isSymbolicLink() || !(await stat(path).catch(() => undefined))?.isDirectory()) continue;
    return `${relative(folder, path)} is a link to a folder, which is not followed: name that folder beside this one`;
  }
  return visible.flatMap(({ entry, path }) => (!entry.isDirectory() && isPolicyFile(entry.name) ? [path] : []));
}

/** Hidden folders hold what others keep there: Kubernetes, the files that its links point at. */
function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith('.') || part === 'node_modules');
}

async function readText(path: string): Promise<string | { readonly problem: string }> {
  try {
    // A pipe would be waited for, and a device read without end.
    const there = await stat(path);
    if (!there.isFile()) return { problem: 'it is no file' };
    if (there.size > largestFile) return { problem: 'the file is larger than 1 MiB' };
    const content = await readFile(path);
    if (content.length > largestFile) return { problem: 'the file is larger than 1 MiB' };
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8 text' };
    return { problem: 'there is no such file, or it cannot be read' };
  }
}
