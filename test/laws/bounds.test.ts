import type { ServiceManifest } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import {
  changesAreTold,
  changesTellNothing,
  mountsTellNothing,
  sessionsBelong,
  twinServices,
  viewsHold,
} from './bounds.ts';
import { manifest } from './lab.ts';
import { makeWorld, type World } from './world.ts';

const [shadow] = twinServices;

function shadowService(version: string) {
  const hidden: ServiceManifest = { ...manifest, service: shadow, version };
  return inProcessService(hidden, Object.fromEntries(hidden.tools.map(({ name }) => [name, () => ({})])));
}

let world: World;
beforeAll(async () => {
  const isShadow = (service: string): boolean => service === shadow;
  const decide = ({ resource }: { resource: { service: string } }) =>
    ({ effect: isShadow(resource.service) ? 'deny' : 'abstain', policies: [] }) as const;
  world = await makeWorld({ kinds: { policyEngines: [{ decide, revision: () => 'shadow/1' }] } });
  world.registry.set([...world.registry.registrations(), shadowService('1.0.0')]);
});
afterAll(() => world.close());

describe('laws 5 and 6 at the bounds of sessions, mounts and views', () => {
  it('a session of somebody else is no session', async () => {
    expect(await sessionsBelong(world)).toEqual([]);
  });

  it('a service of which nothing may be known is mounted nowhere', async () => {
    expect(await mountsTellNothing(world)).toEqual([]);
  });

  it('that something hidden changed is not told, and that something else did is', async () => {
    const [lab] = world.registry.registrations();
    let version = 0;
    const change = () => world.registry.set([lab!, shadowService(`2.0.${++version}`)]);
    expect(await changesTellNothing(world, change)).toEqual([]);
    const tools = manifest.tools.map((tool) => ({ ...tool, description: 'Changed.' }));
    const next = { ...lab!, manifest: { ...manifest, tools } };
    expect(await changesAreTold(world, () => world.registry.set([next, shadowService('3.0.0')]))).toEqual([]);
    expect(await changesAreTold(world, () => world.registry.set([shadowService('3.0.0')]))).toEqual([]);
    world.registry.set([lab!, shadowService('1.0.0')]);
  });

  it('in a view there is what is in it, and nothing else', async () => {
    expect(await viewsHold(world)).toEqual([]);
  });
});
