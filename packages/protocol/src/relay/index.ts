export * from './naming.ts';
export * from './rewrite-result.ts';
