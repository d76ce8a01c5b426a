export * from './json.ts';
export * from './trace-context.ts';
