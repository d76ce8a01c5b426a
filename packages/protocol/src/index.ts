export * from './hop/index.ts';
export * from './json.ts';
export * from './manifest.ts';
export * from './trace-context.ts';
