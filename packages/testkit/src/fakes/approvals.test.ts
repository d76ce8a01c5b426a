import { describe, test } from 'vitest';
import { approvalsLaws } from '../contracts/approvals.ts';
import { memoryApprovals } from './approvals.ts';

describe('approvals in memory', () => {
  test.each(approvalsLaws)('$name', ({ run }) => run(memoryApprovals()));
});
