export * from './constants.ts';
export * from './frames.ts';
export * from './line-splitter.ts';
export * from './messages.ts';
export * from './proof.ts';
