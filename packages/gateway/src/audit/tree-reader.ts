import type { LogReader } from './log-reader.ts';
import { type NodeOf, nodeHash } from './merkle.ts';
import { levelsApart } from './tree.ts';

/**
 * Runs what asks for nodes of a log's tree. Which nodes it asks for may depend on numbers, and not on what the nodes are: it is
 * run once to see, and once more with all that it asked for.
 *
 * @throws Error for nodes that are not there (yet).
 */
export async function withNodes<Result>(
  reader: Pick<LogReader, 'nodes'>,
  run: (nodeOf: NodeOf) => Result,
): Promise<Result> {
  const asked = new Map<string, { readonly height: number; readonly position: number }>();
  run((height, position) => {
    asked.set(`${height} ${position}`, { height, position });
    return nothing;
  });
  const nodes = new Map<string, Uint8Array>();
  for (const [name, { height, position }] of asked) nodes.set(name, await readNode(reader, height, position));
  return run((height, position) => nodes.get(`${height} ${position}`) ?? nothing);
}

const nothing = new Uint8Array(32);

/** Of the tree's inner nodes every eighth level is kept; what is between is computed. */
async function readNode(reader: Pick<LogReader, 'nodes'>, height: number, position: number): Promise<Uint8Array> {
  const base = height - (height % levelsApart);
  const width = 2 ** (height - base);
  let level = await reader.nodes(base, position * width, (position + 1) * width);
  if (level.length !== width) throw new Error(`the tree has no node ${position} at height ${height}`);
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, at) =>
      nodeHash(level[2 * at] ?? nothing, level[2 * at + 1] ?? nothing),
    );
  }
  return level[0] ?? nothing;
}
