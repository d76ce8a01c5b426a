import { toFindings } from '../text/findings.ts';
import { type Problem, parseSources, type Source } from '../text/source.ts';
import { type ToolPolicyFile, toolPolicyJsonSchema, toolPolicySchema } from './tool-schema.ts';
import type { PolicyPlace } from './types.ts';

/** One tool policy, as read. */
export interface ToolPolicy {
  /** The name of its file without folders and endings: the first part of the ids of its rules. */
  readonly stem: string;
  /** Content that tells it from others: the same policy has the same one. */
  readonly key: string;
  readonly policy: ToolPolicyFile;
  /** Where in the file something of it is written. */
  placeOf(path: readonly PropertyKey[]): PolicyPlace;
  /** Something wrong at a place of it. */
  problem(path: readonly PropertyKey[], message: string): Problem;
}

/** Reads a `*.policy.yaml`: one tool policy, or several between `---`. */
export function readToolPolicies(
  text: string,
  file: string,
): { readonly policies: readonly ToolPolicy[]; readonly problems: readonly Problem[] } {
  const policies: ToolPolicy[] = [];
  const problems: Problem[] = [];
  const sources = parseSources(text, file);
  if (sources.length === 0)
    problems.push({ file, line: 1, column: 1, message: 'there is no policy in the file', frame: '' });
  for (const source of sources) {
    const read = readOne(source, file);
    if ('problems' in read) problems.push(...read.problems);
    else policies.push(read);
  }
  return { policies, problems };
}

function readOne(source: Source, file: string): ToolPolicy | { readonly problems: readonly Problem[] } {
  if (source.problems.length > 0) return { problems: source.problems };
  const parsed = toolPolicySchema.safeParse(source.value);
  if (!parsed.success) {
    const findings = toFindings(parsed.error.issues, source.value, toolPolicyJsonSchema);
    return { problems: findings.map(source.locate) };
  }
  const stem = stemOf(file);
  const problem = (path: readonly PropertyKey[], message: string) => source.locate({ path, part: 'key', message });
  return {
    stem,
    key: JSON.stringify([stem, source.value]),
    policy: parsed.data,
    problem,
    placeOf(path) {
      const { line, column } = problem(path, '');
      return { file, line, column };
    },
  };
}

/** `policies/refunds.policy.yaml` → `refunds`. */
export function stemOf(file: string): string {
  const name = file.split(/[\\/]/).at(-1) ?? '';
  return name.replace(/\.policy\.ya?ml$/, '').replace(/[^\w.-]/g, '-');
}
