export { type Context, processContext } from './context.ts';
export { CliError, exitCodes } from './exit.ts';
export { runCli } from './program.ts';
