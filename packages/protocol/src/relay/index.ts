export * from './era-result.ts';
export * from './naming.ts';
export * from './rewrite-result.ts';
export * from './server-error.ts';
