import { z } from 'zod';
import type { SchemaNode } from '../text/schema-node.ts';
import { configSchema } from './schema.ts';

/** The JSON Schema of `sallyport.yaml` for editors, made from the schema that the gateway itself checks with. */
export function configJsonSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }) as SchemaNode;
}

/** A schema as it is published. */
export function schemaText(schema: SchemaNode): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** The text of the published `sallyport.schema.json`. */
export function configJsonSchemaText(): string {
  return schemaText(configJsonSchema());
}
