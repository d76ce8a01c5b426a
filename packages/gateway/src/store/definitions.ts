import type { JsonObject } from '@sallyport/protocol';
import type { StateDatabase } from './state-database.ts';

/** A tool as it was defined at some time. */
export interface ToolDefinition {
  readonly tool: string;
  readonly definitionHash: string;
  readonly inputSchema: JsonObject;
}

/** How tools were defined when calls of them were decided: without that no decision about arguments can be made again. */
export interface ToolDefinitions {
  /** Keeps those that are not kept yet. */
  remember(definitions: readonly ToolDefinition[], atMs: number): Promise<void>;
  /** The input schema of that definition; undefined when it was never seen. */
  find(tool: string, definitionHash: string): Promise<JsonObject | undefined>;
}

/** So many rows are written at a time: databases bound the number of values of a statement. */
const rowsAtOnce = 200;

/** Definitions in a database. */
export function createToolDefinitions({ query }: StateDatabase): ToolDefinitions {
  return {
    async remember(definitions, atMs) {
      for (let at = 0; at < definitions.length; at += rowsAtOnce) {
        const rows = definitions.slice(at, at + rowsAtOnce).map(({ tool, definitionHash, inputSchema }) => ({
          tool,
          definition_hash: definitionHash,
          input_schema: JSON.stringify(inputSchema),
          seen_at_ms: atMs,
        }));
        await query
          .insertInto('tool_definitions')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },
    async find(tool, definitionHash) {
      const row = await query
        .selectFrom('tool_definitions')
        .select('input_schema')
        .where('tool', '=', tool)
        .where('definition_hash', '=', definitionHash)
        .executeTakeFirst();
      return row === undefined ? undefined : (JSON.parse(row.input_schema) as JsonObject);
    },
  };
}
