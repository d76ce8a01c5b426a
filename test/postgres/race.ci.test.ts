import { raceLaw } from './race-law.ts';

raceLaw(1_000, 180_000);
