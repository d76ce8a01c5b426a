export { type Agent, connectAgent, type Seen } from './agent.ts';
export { type Ended, type Running, startExample } from './gateway.ts';
