import { describe } from 'vitest';
import { ofTheRest } from './all-laws.ts';
import { forgetful } from './mutants.ts';
import { itIsNoticed } from './noticed.ts';

describe('the laws notice what is missing for everything else', () => {
  itIsNoticed(ofTheRest, forgetful);
});
