import { findSecrets } from '@sallyport/gateway';
import { type CheckFinding, finding } from './finding.ts';

/** A file that people wrote, by the name it is shown by. */
export interface CheckedFile {
  readonly name: string;
  readonly text: string;
}

/** Secrets that stand in files. None of them is repeated. */
export function secretFindings({ name, text }: CheckedFile): readonly CheckFinding[] {
  return findSecrets(text).map(({ rule, start }) => {
    const before = text.slice(0, start).split('\n');
    return finding('secret', `a secret stands here (${rule})`, {
      place: { file: name, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 },
      suggestion:
        'Put it into a file (mode 0600) or a variable, name that here, and make a new secret: this one was written down.',
    });
  });
}
