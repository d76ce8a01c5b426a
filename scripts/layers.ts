// Checks who imports whom against layers.json. `node scripts/layers.ts` prints what is wrong and what to do instead.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, normalize } from 'node:path';
import { type Ambient, type Import, readSources, type Source } from './source.ts';

/** The table in layers.json. */
export interface Layers {
  /** Which workspace packages each may import, and whether npm packages and Node's own modules. */
  readonly packages: Readonly<
    Record<string, { readonly imports: readonly string[]; readonly npm: boolean; readonly node: boolean }>
  >;
  /** Which folders (or files) directly in `src` each may import besides itself; `*` is every folder. */
  readonly folders: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Which files may use clock, chance, environment and console themselves. */
  readonly ambient: Readonly<Record<string, readonly Ambient['name'][]>>;
}

interface Place {
  readonly packageName: string;
  /** The folder in `src`, or the file if it lies directly there. */
  readonly part: string;
}

interface Question {
  readonly root: string;
  readonly layers: Layers;
  readonly source: Source;
  readonly place: Place;
  readonly found: Import;
}

/** All that is wrong below this root, one message each; empty when everything keeps to the table. */
export function checkLayers(root: string): string[] {
  const layers: Layers = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'));
  const sources = readSources(root, ['packages', 'examples']);
  return [
    ...sources.flatMap((source) => checkImports(root, layers, source)),
    ...sources.flatMap((source) => checkAmbients(layers, source)),
    ...checkCycles(sources.filter((source) => !isTest(source.path))),
  ];
}

function isTest(path: string): boolean {
  return /\.(test|fuzz)\.ts$|\/testing\//.test(path);
}

function checkImports(root: string, layers: Layers, source: Source): string[] {
  const place = placeOf(source.path);
  return source.imports.flatMap((found) => {
    const problem = problemWith({ root, layers, source, place, found });
    return problem === undefined ? [] : [`${source.path}:${found.line}: ${problem}`];
  });
}

function problemWith(question: Question): string | undefined {
  const { specifier } = question.found;
  if (specifier.startsWith('.')) return relativeProblem(question);
  if (specifier.startsWith('@sallyport/')) return workspaceProblem(question) ?? undeclaredProblem(question);
  if (specifier.startsWith('node:')) return nodeProblem(question);
  return npmProblem(question) ?? undeclaredProblem(question);
}

function relativeProblem({ layers, source, place, found }: Question): string | undefined {
  const target = normalize(join(dirname(source.path), found.specifier));
  const home = source.path.startsWith('packages/') ? `packages/${place.packageName}/src/` : topOf(source.path);
  if (!target.startsWith(home)) {
    return `${found.specifier} leaves the package. Import what its package exports, by its name.`;
  }
  const folders = layers.folders[place.packageName];
  if (folders === undefined || isTest(source.path)) return undefined;
  const to = placeOf(target).part;
  const allowed = folders[place.part];
  if (allowed === undefined) {
    return `${place.part} is not in layers.json. Add it under folders.${place.packageName}, with what it may import.`;
  }
  const isFolder = !to.endsWith('.ts');
  if (to === place.part || allowed.includes(to) || (isFolder && allowed.includes('*'))) return undefined;
  return `${place.part} may not import ${to}. Take what you need as a parameter (a port of core, a function), and let compose.ts pass it in.`;
}

function workspaceProblem({ layers, source, place, found }: Question): string | undefined {
  const [, name = '', ...deep] = found.specifier.split('/');
  if (deep.length > 0)
    return `${found.specifier} reaches inside a package. Import @sallyport/${name}, or export it there.`;
  const rule = layers.packages[place.packageName];
  if (rule === undefined) {
    if (!source.path.startsWith('packages/')) return undefined;
    return `${place.packageName} is not in layers.json. Add it under packages, with what it may import.`;
  }
  if (rule.imports.includes(name) || (isTest(source.path) && name === 'testkit')) return undefined;
  return `${place.packageName} may not import ${name}. Move what both need to a package both may import (${rule.imports.join(', ') || 'none'}), or let the caller pass it in.`;
}

function nodeProblem({ layers, source, place, found }: Question): string | undefined {
  if (layers.packages[place.packageName]?.node !== false || isTest(source.path)) return undefined;
  return `${place.packageName} may not import ${found.specifier}: it runs anywhere. Name what you need as a port and implement it in gateway.`;
}

function npmProblem({ layers, source, place, found }: Question): string | undefined {
  if (layers.packages[place.packageName]?.npm !== false || isTest(source.path)) return undefined;
  return `${place.packageName} may not import ${found.specifier}: it depends on no npm package. Name what you need as a port and implement it in gateway.`;
}

function undeclaredProblem({ root, source, found }: Question): string | undefined {
  const parts = found.specifier.split('/');
  const name = found.specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
  const manifest = join(root, topOf(source.path), 'package.json');
  const declared = isTest(source.path) ? [manifest, join(root, 'package.json')] : [manifest];
  if (name === '@sallyport/testkit' && isTest(source.path)) return undefined;
  if (declared.some((file) => dependenciesIn(file).has(name))) return undefined;
  return `${name} is not declared. Add it to the dependencies of ${topOf(source.path)}package.json, or do without.`;
}

function dependenciesIn(file: string): Set<string> {
  if (!existsSync(file)) return new Set();
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest;
  // A package may always name itself.
  const own = { [manifest.name]: '' };
  const all = { ...own, ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies };
  return new Set(Object.keys(all));
}

/** `packages/core/`, `examples/blog/`. */
function topOf(path: string): string {
  return `${path.split('/').slice(0, 2).join('/')}/`;
}

function placeOf(path: string): Place {
  const [, packageName = '', , part = ''] = path.split('/');
  return { packageName: path.startsWith('packages/') ? packageName : topOf(path), part };
}

function checkAmbients(layers: Layers, source: Source): string[] {
  if (isTest(source.path) || !source.path.startsWith('packages/')) return [];
  const allowed = Object.entries(layers.ambient).flatMap(([glob, names]) =>
    matchesGlob(source.path, glob) ? names : [],
  );
  return source.ambients
    .filter(({ name }) => !allowed.includes(name))
    .map(({ name, line }) => `${source.path}:${line}: ${name} is not for this file. ${instead[name]}`);
}

const instead: Readonly<Record<Ambient['name'], string>> = {
  'process.env': 'Read it at the edge (config/load.ts, the command line) and pass the value in.',
  'Date.now': 'Take `nowMs: () => number`, so that tests can set the clock.',
  'Math.random': 'Take `random: () => number`; for secrets and ids use node:crypto.',
  console: 'Take a `log: Logger`.',
};

/** Cycles of imports that remain when types are stripped. */
function checkCycles(sources: readonly Source[]): string[] {
  const known = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const problems: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) {
      const cycle = [...trail.slice(at), path].join(' → ');
      problems.push(`${path}: imports itself: ${cycle}. Move what both need into a third file.`);
      return;
    }
    if (done.has(path)) return;
    for (const target of targetsOf(path, known)) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const path of known.keys()) walk(path, []);
  return problems;
}

function targetsOf(path: string, known: ReadonlyMap<string, Source>): string[] {
  return (known.get(path)?.imports ?? [])
    .filter((found) => !found.typeOnly && found.specifier.startsWith('.'))
    .map((found) => normalize(join(dirname(path), found.specifier)))
    .filter((target) => known.has(target));
}

if (process.argv[1] === import.meta.filename) {
  const problems = checkLayers(process.argv[2] ?? process.cwd());
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
