export { type CaseTool, type PolicyCase, type PolicySuite, readPolicyCases } from './cases.ts';
export type { PoliciesForTools, PolicyTool } from './compile.ts';
export { policiesFor } from './made.ts';
export { fromRevision, type PolicySet, toRevision } from './revision.ts';
export { cedarSchema } from './schema.ts';
export {
  hasProblems,
  loadPolicies,
  type PolicyPaths,
  type PolicyProblems,
  type PolicySource,
  parsePolicies,
} from './source.ts';
export type { ToolPolicy } from './tool-file.ts';
export type { AttributeType, CedarPolicy, PolicyPlace, PolicyProblem, PolicySettings } from './types.ts';
export { type PolicyCheck, validatePolicies } from './validate.ts';
