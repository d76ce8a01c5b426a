import { loadCedar } from './cedar.ts';
import { createCompileForTools, type PoliciesForTools, type PolicyTool } from './compile.ts';
import type { PolicySource } from './source.ts';

/** All policies that files come to for these tools: those of Cedar files, and what tool policies say in Cedar. */
export async function policiesFor(source: PolicySource, tools: readonly PolicyTool[]): Promise<PoliciesForTools> {
  if (source.files.length === 0) return { policies: [], problems: [] };
  return createCompileForTools(await loadCedar())(source, tools);
}
