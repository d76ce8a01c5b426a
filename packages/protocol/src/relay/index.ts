export * from './era-result.ts';
export { loggingLevels, type ParamsProblem, type SplitMeta, splitMeta } from './meta.ts';
export * from './naming.ts';
export * from './params.ts';
export * from './rewrite-result.ts';
export * from './server-error.ts';
