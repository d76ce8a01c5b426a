import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * Lets a new service live beside a checkout, where nothing that it depends on is published: its scripts run the sources,
 * under a Node that can, and what it would install is linked.
 */
export function joinCheckout(folder: string): void {
  const file = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { scripts: Record<string, string> };
  const scripts = relative(folder, join(root, 'scripts')).replaceAll('\\', '/');
  manifest.scripts.start = `node ${scripts}/sallyport.mjs run`;
  manifest.scripts.sallyport = `node ${scripts}/sallyport.mjs`;
  manifest.scripts.test = `node ${scripts}/node.mjs --test test/service.test.ts`;
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
  // Inside the checkout the way up leads to what is installed there.
  if (relative(root, folder).startsWith('..'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
}
