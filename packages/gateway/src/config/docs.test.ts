import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { policyCasesJsonSchema } from '../policy/cases.ts';
import { toolPolicyJsonSchema } from '../policy/tool-schema.ts';
import type { SchemaNode } from '../text/schema-node.ts';
import { configurationPage } from './docs.ts';
import { configJsonSchema, configJsonSchemaText, schemaText } from './json-schema.ts';

const hint = 'run: node --conditions=sallyport-source packages/gateway/src/config/publish.ts';

test.each([
  ['tool-policy.schema.json', toolPolicyJsonSchema],
  ['policy-test.schema.json', policyCasesJsonSchema],
])('the published %s is that of the code', (name, schema) => {
  expect(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'), hint).toBe(schemaText(schema()));
});

test('the published JSON Schema is that of the code', () => {
  const published = readFileSync(new URL('../../sallyport.schema.json', import.meta.url), 'utf8');
  expect(published, hint).toBe(configJsonSchemaText());
});

test('the reference page is that of the code', () => {
  const published = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
  expect(published, hint).toBe(configurationPage());
});

test('every field says what it means', () => {
  const silent: string[] = [];
  const walk = (node: SchemaNode, path: string) => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      if (child.description === undefined) silent.push(`${path}.${key}`);
      walk(child, `${path}.${key}`);
    }
    if (node.items) walk(node.items, `${path}[]`);
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.*`);
  };
  walk(configJsonSchema(), '');
  expect(silent).toEqual([]);
});
