export { createLogger, type LogOptions, logFor, wantsColour } from './log.ts';
export { formatLine } from './pretty.ts';
export { newCallId, newTrace } from './trace.ts';
