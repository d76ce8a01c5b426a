import { describe } from 'vitest';
import { ofTools } from './all-laws.ts';
import { stageless } from './mutants.ts';
import { itIsNoticed } from './noticed.ts';

describe('the laws notice what is missing for tools', () => {
  itIsNoticed(ofTools, stageless);
});
