import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAst } from 'vitest/node';

/** One import of a module, however it is written. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Gone after types are stripped: it cannot make a cycle, but it is a dependency all the same. */
  readonly typeOnly: boolean;
}

/** Use of something every module can reach without importing it. */
export interface Ambient {
  readonly name: 'process.env' | 'Date.now' | 'Math.random' | 'console';
  readonly line: number;
}

/** A function with its length in lines of code. */
export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** What the checks need to know of a source file. */
export interface Source {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly imports: readonly Import[];
  readonly ambients: readonly Ambient[];
  readonly functions: readonly FunctionSize[];
  /** Lines that are neither blank nor comment. */
  readonly lines: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const skipped = new Set(['node_modules', 'dist', 'out', 'coverage']);

/** Reads every TypeScript source below these folders of the root; folders that are not there are passed over. */
export function readSources(root: string, folders: readonly string[]): Source[] {
  return folders.flatMap((folder) => list(root, folder)).map((path) => readSource(root, path));
}

/** The names a module exports, types included, also through `export *` of modules beside it. */
export function exportedNames(file: string): string[] {
  const { body } = parse(readFileSync(file, 'utf8'), file);
  return (body as readonly Node[]).flatMap((node) => {
    if (node.type === 'ExportAllDeclaration' && isNode(node.source)) {
      return isNode(node.exported)
        ? [String(node.exported.name)]
        : exportedNames(join(dirname(file), String(node.source.value)));
    }
    if (node.type !== 'ExportNamedDeclaration') return [];
    const specifiers = (node.specifiers as readonly Node[]).map(
      ({ exported }) => isNode(exported) && String(exported.name),
    );
    return [...specifiers, ...declaredNames(node.declaration)].filter((name) => typeof name === 'string');
  });
}

function declaredNames(declaration: unknown): (string | undefined)[] {
  if (!isNode(declaration)) return [];
  const { declarations } = declaration;
  return Array.isArray(declarations) ? declarations.map(nameOf) : [nameOf(declaration)];
}

function list(root: string, folder: string): string[] {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return skipped.has(entry.name) || entry.name.startsWith('.') ? [] : list(root, path);
      return /\.ts$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
    });
}

function readSource(root: string, path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const lineOf = lineFinder(text);
  const imports: Import[] = [];
  const ambients: Ambient[] = [];
  const functions: { node: Node; name: string }[] = [];
  const code = new Set<number>();
  visit(parse(text, path), (node, name) => {
    const line = lineOf(node.start);
    markCode(node, lineOf, code);
    const found = importOf(node);
    if (found) imports.push({ ...found, line });
    const ambient = ambientOf(node);
    if (ambient) ambients.push({ name: ambient, line });
    if (isFunction(node)) functions.push({ node, name });
  });
  const sorted = [...code].sort((a, b) => a - b);
  return {
    path,
    imports,
    ambients,
    lines: code.size,
    functions: functions.map(({ node, name }) => {
      const [first, last] = [lineOf(node.start), lineOf(node.end)];
      return { name, line: first, lines: sorted.filter((line) => line >= first && line <= last).length };
    }),
  };
}

function parse(text: string, path: string): Node {
  try {
    return parseAst(text, { lang: 'ts' }) as unknown as Node;
  } catch (error) {
    throw new Error(`${path} cannot be parsed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Calls back for every node, with the nearest name that was given to it: a declaration's, a variable's, a property's. */
function visit(node: Node, each: (node: Node, name: string) => void, outerName = 'anonymous'): void {
  const name = nameOf(node) ?? outerName;
  each(node, name);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, each, name);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function nameOf(node: Node): string | undefined {
  const holder = node.id ?? node.key;
  return isNode(holder) && typeof holder.name === 'string' ? holder.name : undefined;
}

/** Comments are no nodes: a line is code if something starts, ends or, for texts, goes on there. */
function markCode(node: Node, lineOf: (offset: number) => number, code: Set<number>): void {
  if (node.type === 'Program') return;
  const [first, last] = [lineOf(node.start), lineOf(node.end)];
  code.add(first).add(last);
  if (node.type !== 'TemplateElement') return;
  for (let line = first; line < last; line++) code.add(line);
}

function isFunction(node: Node): boolean {
  return ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(node.type);
}

const literalHolders: Readonly<Record<string, string>> = {
  ImportDeclaration: 'source',
  ExportAllDeclaration: 'source',
  ExportNamedDeclaration: 'source',
  ImportExpression: 'source',
  TSImportType: 'source',
};

function importOf(node: Node): Omit<Import, 'line'> | undefined {
  const holder = literalHolders[node.type];
  const literal = holder === undefined ? pathOfUrl(node) : node[holder];
  if (!isNode(literal) || typeof literal.value !== 'string') return undefined;
  return { specifier: literal.value, typeOnly: isTypeOnly(node) };
}

/** `new URL('./worker.ts', import.meta.url)` loads a module as well as an import does. */
function pathOfUrl(node: Node): unknown {
  if (node.type !== 'NewExpression' || !isNamed(node.callee, 'URL')) return undefined;
  const [path, base] = node.arguments as readonly unknown[];
  const isModule = isNode(path) && typeof path.value === 'string' && /^\.\.?\/.*\.ts$/.test(path.value);
  return isModule && isNode(base) ? path : undefined;
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType') return true;
  return node.importKind === 'type' || node.exportKind === 'type' || node.type === 'NewExpression';
}

function ambientOf(node: Node): Ambient['name'] | undefined {
  const { object, property, callee } = node;
  if (node.type === 'MemberExpression') {
    if (isNamed(object, 'process') && isNamed(property, 'env')) return 'process.env';
    if (isNamed(object, 'Date') && isNamed(property, 'now')) return 'Date.now';
    if (isNamed(object, 'Math') && isNamed(property, 'random')) return 'Math.random';
    if (isNamed(object, 'console')) return 'console';
  }
  if (node.type === 'NewExpression' && isNamed(callee, 'Date') && isEmpty(node.arguments)) return 'Date.now';
  if (node.type === 'VariableDeclarator' && isNamed(node.init, 'process') && takesEnv(node.id)) {
    return 'process.env';
  }
  return undefined;
}

function isNamed(value: unknown, name: string): boolean {
  return isNode(value) && value.type === 'Identifier' && value.name === name;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function takesEnv(pattern: unknown): boolean {
  if (!isNode(pattern) || !Array.isArray(pattern.properties)) return false;
  return pattern.properties.some((property) => isNode(property) && isNamed(property.key, 'env'));
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
