const validName = /^[A-Za-z0-9_.-]{1,128}$/;
const maxAliasLength = 64;

/** Whether a tool may have this name (MCP 2026-07-28, tools, names). */
export function isToolName(name: string): boolean {
  return validName.test(name);
}

/**
 * The name of a tool for clients that allow only `[A-Za-z0-9_-]{1,64}`: `posts.PostService.Create` →
 * `posts_PostService_Create`. Longer names are cut and end in a hash of the whole, so that they stay different.
 */
export function aliasOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '_');
  if (plain.length <= maxAliasLength) return plain;
  const hash = fnv1a(name).toString(36);
  return `${plain.slice(0, maxAliasLength - hash.length - 1)}_${hash}`;
}

/** FNV-1a, 64 bits: short and well spread; no protection against somebody who chooses both texts. */
export function fnv1a(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < text.length; at++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n);
  }
  return hash;
}
