import { afterEach, describe, it } from 'vitest';
import { upstreamContract } from '../../packages/gateway/src/upstream/testing/contract.ts';
import { endWorlds, startContract } from './kit-world.ts';

afterEach(endWorlds);

describe('a service of the kit that dials the gateway', () => {
  for (const { name, run } of upstreamContract) it(name, () => run(() => startContract('announce')));
});
