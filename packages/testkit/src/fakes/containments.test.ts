import { describe, test } from 'vitest';
import { containmentsLaws } from '../contracts/containments.ts';
import { memoryContainments } from './containments.ts';

describe('containments in memory', () => {
  test.each(containmentsLaws)('$name', ({ run }) => run(memoryContainments()));
});
