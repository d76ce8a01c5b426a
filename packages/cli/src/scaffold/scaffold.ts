import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../exit.ts';
import { version } from '../version.ts';

/** What there is to start from. */
export const templateNames = ['default', 'crud', 'read-only'] as const;
export type TemplateName = (typeof templateNames)[number];

/** What to make. */
export interface Scaffold {
  readonly name: string;
  readonly template: TemplateName;
  /** The folder to make it in: absent or empty. */
  readonly folder: string;
}

const templatesFolder = fileURLToPath(new URL('../../templates/', import.meta.url));

/** Where files go that are kept elsewhere: npm drops a `.gitignore` from packages. */
const places: Readonly<Record<string, string>> = { gitignore: '.gitignore', 'main.ts': 'src/main.ts' };

/** A call to try first, for the README. */
const firstCalls: Readonly<Record<TemplateName, (name: string, handler: string) => string>> = {
  default: (name, handler) => `${name}.${handler}.Greet '{"name":"Ada"}'`,
  crud: (name, handler) => `${name}.${handler}.Create '{"title":"Buy milk"}'`,
  'read-only': (name, handler) => `${name}.${handler}.Search '{"words":"scope"}'`,
};

/**
 * Makes a service. Nothing that exists is touched.
 *
 * @returns the files made, relative to the folder.
 * @throws CliError `usage` for a bad name, or when the folder has something in it.
 */
export function scaffold({ name, template, folder }: Scaffold): readonly string[] {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(name) || name.endsWith('-')) {
    throw new CliError('usage', `"${name}" cannot be the name of a service.`, {
      hint: 'Lower-case letters, digits and dashes; a letter first, at most 63: tasks, order-items.',
    });
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new CliError('usage', `${folder} has something in it already, and nothing is overwritten.`, {
      hint: 'Choose another name, or another folder with --dir.',
    });
  }
  const words = { name, version, variable: camelCase(name), handler: handlerName(name) };
  const filled = (text: string) => fill(text, { ...words, call: firstCalls[template](name, words.handler) });
  const files = [...filesOf('shared'), ...filesOf(template)].map(
    ([path, text]) => [places[path] ?? path, filled(text)] as const,
  );
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { flag: 'wx' });
  }
  return files.map(([path]) => path).sort();
}

function filesOf(template: string): readonly (readonly [path: string, text: string])[] {
  const root = join(templatesFolder, template);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      // Sources carry a second suffix, so that nothing takes a template for a program.
      const name = relative(root, path)
        .replaceAll('\\', '/')
        .replace(/\.tmpl$/, '');
      return [name, readFileSync(path, 'utf8')] as const;
    });
}

function fill(text: string, words: Readonly<Record<string, string>>): string {
  return text.replaceAll(/__([a-z]+)__/g, (whole, word: string) => words[word] ?? whole);
}

/** `order-items` → `orderItems`. A name that is a reserved word gets a suffix. */
function camelCase(name: string): string {
  const joined = name.replaceAll(/-+([a-z0-9])?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase());
  return reserved.has(joined) ? `${joined}Service` : joined;
}

/** `order-items` → `OrderItemService`: what agents see is named in the singular. */
function handlerName(name: string): string {
  const singular = /[^s]s$/.test(name) && name.length > 3 ? name.slice(0, -1) : name;
  const joined = singular.replaceAll(/-+([a-z0-9])?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase());
  return `${joined.charAt(0).toUpperCase()}${joined.slice(1)}Service`;
}

/** Words that cannot name a variable, and the names the templates use themselves. */
const reserved = new Set(
  (
    'await break case catch class const continue debugger default delete do else enum export extends false finally for ' +
    'function if implements import in instanceof interface let new null package private protected public return static ' +
    'super switch this throw true try typeof var void while with yield arguments eval ' +
    'service store item items id title entry entries reading existing z test assert found'
  ).split(' '),
);
