import { writeFileSync } from 'node:fs';
import { configurationPage } from './docs.ts';
import { configJsonSchemaText } from './json-schema.ts';

// Run as a program after a change of the schema; a test fails until it was.
if (process.argv[1] === import.meta.filename) {
  writeFileSync(new URL('../../sallyport.schema.json', import.meta.url), configJsonSchemaText());
  writeFileSync(new URL('../../../../docs/configuration.md', import.meta.url), configurationPage());
}
