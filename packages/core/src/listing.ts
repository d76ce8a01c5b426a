import { GatewayError } from './error.ts';
import type { Listing } from './outcome.ts';
import type { Tool, View } from './tool.ts';

/**
 * Finds the tool a caller named, by its name or its alias.
 *
 * @throws GatewayError `unknown_tool`, the same for a tool that does not exist and one this caller may not know of.
 */
export function findTool(view: View, name: string): Tool {
  const tool = view.catalog.byName.get(name);
  if (tool === undefined || !view.has(tool)) throw new GatewayError('unknown_tool');
  return tool;
}

/** A cursor is the name of the last tool of the page before: it stays right when tools come and go in between. */
interface Page {
  readonly cursor?: string;
  readonly limit: number;
}

/** Lists what of a view the caller is entitled to, in the catalog's order. */
export function listTools(view: View, entitled: (tool: Tool) => boolean, { cursor, limit }: Page): Listing {
  const after = cursor === undefined ? '' : readCursor(cursor);
  const all = view.catalog.tools.filter((tool) => view.has(tool) && entitled(tool));
  const rest = all.filter((tool) => tool.name > after);
  const tools = rest.slice(0, limit);
  const last = tools.at(-1);
  return {
    tools,
    etag: fingerprint(all),
    stale: view.catalog.stale,
    ...(last && rest.length > tools.length && { nextCursor: `after:${last.name}` }),
  };
}

function readCursor(cursor: string): string {
  if (!cursor.startsWith('after:')) {
    throw new GatewayError('malformed_params', { issues: ['cursor: not one that this gateway gave out'] });
  }
  return cursor.slice('after:'.length);
}

/** FNV-1a over the definition hashes: not a secret and not a signature, only a way to see that something changed. */
function fingerprint(tools: readonly Tool[]): string {
  let hash = 0xcbf29ce484222325n;
  for (const tool of tools) {
    for (const text of [tool.name, tool.definitionHash, ...tool.scopes]) {
      for (let i = 0; i < text.length; i++) {
        hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
      }
    }
  }
  return hash.toString(16).padStart(16, '0');
}
