// Writes what is generated from the code: docs/errors.md, docs/cli.md, the borders in ARCHITECTURE.md, test/pins/exports.json.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Code, type Reason, reasons } from '@sallyport/core';
import { commandsPage } from './cli-page.ts';
import type { Layers } from './layers.ts';
import { exportedNames } from './source.ts';

const marker = { begin: '<!-- layers.json, by `npm run docs` -->', end: '<!-- end of layers.json -->' };

/** The page of all refusals. */
export function errorsPage(): string {
  const rows = Object.entries(reasons).map(([reason, row]) => {
    const { code, http, jsonRpc, retryable, message }: (typeof reasons)[Reason] = row;
    return `| \`${reason}\` | \`${code satisfies Code}\` | ${http} | ${jsonRpc} | ${retryable ? 'yes' : 'no'} | ${message} |`;
  });
  return `# Errors

Every way a call can be refused. The \`reason\` is the same word in the error answer, in the audit record and in the span.
The \`code\` is what a program switches on. *Retry* says whether the same call may succeed later, unchanged.
The message is constant for each reason: a refusal says nothing about what exists.

This page is generated from the table in \`packages/core/src/error.ts\` by \`npm run docs\`.

| Reason | Code | HTTP | JSON-RPC | Retry | Message |
|---|---|--:|--:|---|---|
${rows.join('\n')}
`;
}

/** The borders of layers.json as a reader wants them. */
export function bordersTable(layers: Layers): string {
  const packages = Object.entries(layers.packages).map(([name, { imports, npm, node }]) => {
    const workspace = imports.length === 0 ? '–' : imports.join(', ');
    return `| ${name} | ${workspace} | ${npm ? 'declared ones' : 'none'} | ${node ? 'yes' : 'no'} |`;
  });
  const folders = Object.entries(layers.folders).flatMap(([name, parts]) => folderLines(name, parts));
  const ambient = Object.entries(layers.ambient).map(([glob, names]) => `\`${glob}\` (${names.join(', ')})`);
  return `| package | may import | npm | \`node:\` |
|---|---|---|---|
${packages.join('\n')}

${folders.join('\n')}

Clock, chance, environment and console are used only in: ${ambient.join('; ')}.`;
}

function folderLines(name: string, parts: Readonly<Record<string, readonly string[]>>): string[] {
  const alone = Object.keys(parts).filter((part) => parts[part]?.length === 0);
  const others = Object.entries(parts).filter(([, imports]) => imports.length > 0);
  return [
    `In \`${name}/src\`, these see only themselves and other packages: ${alone.join(', ')}.`,
    ...others.map(([part, imports]) => `\`${part}\` sees ${imports.map(spelled).join(' and ')}.`),
  ];
}

function spelled(part: string): string {
  return part === '*' ? 'every folder' : `\`${part}\``;
}

/** ARCHITECTURE.md with the borders of now between its markers. */
export function withBorders(page: string, layers: Layers): string {
  const [begin, end] = [page.indexOf(marker.begin), page.indexOf(marker.end)];
  if (begin === -1 || end < begin) throw new Error('ARCHITECTURE.md has lost the markers round the borders');
  return `${page.slice(0, begin)}${marker.begin}\n\n${bordersTable(layers)}\n\n${page.slice(end)}`;
}

/** What each package exports, by package, sorted. */
export function exportsOfPackages(root: string): Record<string, string[]> {
  const names = readdirSync(join(root, 'packages')).sort();
  const indexes = names
    .map((name) => [name, join(root, 'packages', name, 'src/index.ts')] as const)
    .filter(([, index]) => existsSync(index));
  return Object.fromEntries(indexes.map(([name, index]) => [name, exportedNames(index).sort()]));
}

/** Reads layers.json of this root. */
export function readLayers(root: string): Layers {
  return JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'));
}

function writeAll(root: string): void {
  const architecture = join(root, 'ARCHITECTURE.md');
  writeFileSync(join(root, 'docs/errors.md'), errorsPage());
  writeFileSync(join(root, 'docs/cli.md'), commandsPage());
  writeFileSync(architecture, withBorders(readFileSync(architecture, 'utf8'), readLayers(root)));
  writeFileSync(join(root, 'test/pins/exports.json'), `${JSON.stringify(exportsOfPackages(root), undefined, 2)}\n`);
}

if (process.argv[1] === import.meta.filename) writeAll(resolve(dirname(import.meta.filename), '..'));
