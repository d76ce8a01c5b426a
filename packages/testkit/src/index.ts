export * from './fakes/stages.ts';
