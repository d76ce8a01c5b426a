import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How this very program was started, which its children imitate. */
export interface OwnRuntime {
  /** The Node binary that runs us. */
  readonly execPath: string;
  /** Whether we run from `.ts` sources: workspaces then resolve by the `sallyport-source` condition. */
  readonly fromSource: boolean;
}

/** The runtime of the module that asks: `import.meta.url` of any of ours ends in `.ts` exactly when run from source. */
export function ownRuntime(moduleUrl: string, execPath: string): OwnRuntime {
  return { execPath, fromSource: moduleUrl.endsWith('.ts') };
}

/** Flags a Node child needs to behave as we do; they are not inherited by a clean environment. */
export function nodeFlags(runtime: OwnRuntime): readonly string[] {
  return [...(runtime.fromSource ? ['--conditions=sallyport-source'] : []), '--disable-warning=ExperimentalWarning'];
}

/**
 * The words to run for a service's `command`: `node` becomes the Node that runs us, with a guard that ends the service
 * when we are gone; other programs are left as they are.
 */
export function resolveCommand(command: readonly string[], runtime: OwnRuntime): readonly string[] {
  const [program = '', ...rest] = command;
  if (program !== 'node' && basename(program) !== 'node') return command;
  const guard = new URL(runtime.fromSource ? './orphan-guard.ts' : './orphan-guard.js', import.meta.url);
  const binary = program === 'node' ? runtime.execPath : program;
  return [binary, ...nodeFlags(runtime), `--import=${fileURLToPath(guard)}`, ...rest];
}
