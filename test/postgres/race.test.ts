import { raceLaw } from './race-law.ts';

raceLaw(25);
