import { relative, resolve } from 'node:path';
import { type Context, print, printJson } from '../context.ts';
import { joinCheckout } from '../scaffold/checkout.ts';
import { scaffold, type TemplateName } from '../scaffold/scaffold.ts';

/** Options of `sallyport new`. */
export interface NewOptions {
  readonly template: TemplateName;
  readonly dir?: string;
  readonly json?: boolean;
}

/** Makes a new service and says what to do next. */
export async function newService(name: string, options: NewOptions, context: Context): Promise<void> {
  const folder = resolve(context.cwd, options.dir ?? name);
  const files = scaffold({ name, template: options.template, folder });
  const isCheckout = import.meta.url.endsWith('.ts');
  if (isCheckout) joinCheckout(folder);
  if (options.json) return printJson(context, { name, template: options.template, folder, files });
  const { style } = context;
  const way = relative(context.cwd, folder) || '.';
  const here = way.startsWith('..') ? folder : way;
  print(
    context,
    [
      `${style.green('✓')} ${style.bold(name)} is in ${here}`,
      ...files.map((file) => style.dim(`    ${file}`)),
      '',
      'Next:',
      `    cd ${here}`,
      ...(isCheckout ? [] : ['    npm install']),
      '    npm test',
      '    npm start',
    ].join('\n'),
  );
}
