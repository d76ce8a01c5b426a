import { afterEach, it } from 'vitest';
import { beFlooded } from './support/stdio.ts';
import { endAll } from './support/world.ts';

afterEach(endAll);

it.each(['bytes', 'stderr', 'logs', 'progress', 'changes'])(
  'a stdio server that floods with %s does not fill the log, and others are served meanwhile',
  beFlooded,
);
