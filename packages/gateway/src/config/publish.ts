import { writeFileSync } from 'node:fs';
import { policyCasesJsonSchema } from '../policy/cases.ts';
import { toolPolicyJsonSchema } from '../policy/tool-schema.ts';
import { configurationPage } from './docs.ts';
import { configJsonSchemaText, schemaText } from './json-schema.ts';

// Run as a program after a change of the schema; a test fails until it was.
if (process.argv[1] === import.meta.filename) {
  writeFileSync(new URL('../../sallyport.schema.json', import.meta.url), configJsonSchemaText());
  writeFileSync(new URL('../../tool-policy.schema.json', import.meta.url), schemaText(toolPolicyJsonSchema()));
  writeFileSync(new URL('../../policy-test.schema.json', import.meta.url), schemaText(policyCasesJsonSchema()));
  writeFileSync(new URL('../../../../docs/configuration.md', import.meta.url), configurationPage());
}
