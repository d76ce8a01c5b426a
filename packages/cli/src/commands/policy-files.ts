import type { PolicySource } from '@sallyport/gateway';
import { CliError } from '../exit.ts';

/** Policies of a folder or a file. @throws CliError `failure` naming file, line and column. */
export async function sourceAt(path: string): Promise<PolicySource> {
  const { formatProblem, hasProblems, loadPolicies } = await import('@sallyport/gateway');
  const found = await loadPolicies({ paths: [path], folder: path });
  if (!hasProblems(found)) return found;
  throw new CliError('failure', found.problems.map(formatProblem).join('\n\n'));
}
