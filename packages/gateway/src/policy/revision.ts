import { createHash } from 'node:crypto';
import type { PolicyRevision } from '@sallyport/core';
import { hasProblems, type PolicySource, parsePolicies } from './source.ts';
import type { PolicySettings } from './types.ts';

/** Policies and what else decides, as one thing that counts or does not. */
export interface PolicySet {
  readonly source: PolicySource;
  readonly settings: PolicySettings;
}

/** The same as it is kept. Equal policies under equal settings have equal ids, wherever they were read. */
export function toRevision({ source, settings }: PolicySet): PolicyRevision {
  const { default: byDefault, environment, attributes } = settings;
  const settingsText = JSON.stringify({
    default: byDefault,
    ...(environment !== undefined && { environment }),
    attributes: Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
  });
  const id = createHash('sha256').update(`${source.revision}\0${settingsText}`).digest('hex');
  return { id, files: source.files, settingsText };
}

/** Reads what was kept. @throws Error for a revision that cannot be read (any more): nothing is decided by half of one. */
export async function fromRevision({ id, files, settingsText }: PolicyRevision): Promise<PolicySet> {
  const source = await parsePolicies(files);
  if (hasProblems(source)) {
    const [first] = source.problems;
    throw new Error(
      `policy revision ${id} cannot be read: ${first?.file}:${first?.line}:${first?.column} ${first?.message}`,
    );
  }
  return { source, settings: JSON.parse(settingsText) as PolicySettings };
}
