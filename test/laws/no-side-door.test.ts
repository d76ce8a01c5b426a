import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { adminCall } from '@sallyport/gateway';
import { httpModern, rest } from '@sallyport/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOperations } from '../../packages/gateway/src/admin/operations.ts';
import {
  type AdminWorld,
  attempt,
  type Holder,
  makeAdminWorld,
  operations,
  recordedWith,
  refusedWithout,
} from './no-side-door.ts';

let world: AdminWorld;
let worlds: readonly AdminWorld[];
/** Some operations last until the next second begins: they are tried beside each other, each in a world to itself. */
let free: AdminWorld[];
beforeAll(async () => {
  world = await makeAdminWorld();
  worlds = [world, ...(await Promise.all([makeAdminWorld(), makeAdminWorld(), makeAdminWorld()]))];
  free = [...worlds];
});
afterAll(async () => void (await Promise.all(worlds.map((each) => each.close()))));

async function alone(run: (mine: AdminWorld) => Promise<void>): Promise<void> {
  let mine = free.pop();
  for (; mine === undefined; mine = free.pop()) await delay(2);
  try {
    await run(mine);
  } finally {
    free.push(mine);
  }
}

describe('law 8: no side door', () => {
  it('knows every operation there is, with its scope', () => {
    const { manifest } = adminOperations({} as Parameters<typeof adminOperations>[0]);
    const offered = manifest.tools.map(({ name, scopes = [], auditRequired = false }) => [
      name,
      ...scopes,
      auditRequired,
    ]);
    const known = operations.map(({ name, scope, or, changes }) => [name, scope, ...(or ? [or] : []), changes]);
    expect(known.toSorted()).toEqual(offered.toSorted());
  });

  it.each(operations)('$name is refused without its scope, and that is on record', async (operation) => {
    for (const scopes of [[], ['*'], ['admin'], ['admin:nothing']]) {
      expect(await refusedWithout(world, operation, scopes)).toEqual([]);
    }
  });

  it('no set of other scopes opens an operation', async () => {
    const scope = fc.constantFrom(
      '*',
      'lab:read',
      'lab:*',
      'admin',
      'admin:read',
      'admin:tokens',
      'admin:accounts',
      'admin:users',
      'admin:credentials',
      'admin:contain',
      'admin:approvals',
      'admin:consent',
    );
    const wanted = fc.record({ operation: fc.constantFrom(...operations), scopes: fc.uniqueArray(scope) });
    await fc.assert(
      fc.asyncProperty(wanted, async ({ operation, scopes }) => {
        const others = scopes.filter((one) => one !== operation.scope && one !== operation.or);
        expect(await refusedWithout(world, operation, others)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  const bySomebody = '$name is done and recorded over HTTP, a change with its intent first';
  it.concurrent.each(operations)(bySomebody, (operation) =>
    alone(async (mine) => {
      for (const scope of [operation.scope, ...(operation.or ? [operation.or] : []), 'admin:*']) {
        const { token, account } = await mine.holder([scope], 'person');
        const way = { target: mine.remote(token), subject: account };
        expect(await recordedWith(mine, operation, way)).toEqual([]);
      }
    }),
  );

  it.concurrent.each(operations)('$name is done and recorded over the socket, by its owner', (operation) =>
    alone(async (mine) => {
      const way = { target: mine.socket, subject: userInfo().username };
      expect(await recordedWith(mine, operation, way)).toEqual([]);
    }),
  );

  it('strangers are refused and recorded', async () => {
    // More than so many are only counted.
    for (const { name } of operations.slice(0, 15)) {
      const { reason, records } = await attempt(world, world.remote('nobody'), { name, args: {} });
      const recorded = records.map((one) => one.reason);
      expect([name, reason, recorded]).toEqual([name, 'credential_invalid', ['credential_invalid']]);
    }
    for (const { name } of operations) {
      await expect(adminCall(world.remote('nobody'), name)).rejects.toMatchObject({ reason: 'credential_invalid' });
    }
  });

  it.each(operations)('$name is not there for agents, whatever scopes they hold', async ({ name }) => {
    const url = new URL(world.gateway.mcpUrl);
    const { token } = await world.holder(['*', 'admin:*']);
    for (const driver of [httpModern({ url, token }), rest({ url, token })]) {
      for (const tool of [`admin.${name}`, `admin_${name.replace('.', '_')}`, name]) {
        expect((await driver.call(tool, {})).reason).toBe('unknown_tool');
      }
      expect((await driver.list()).result).toEqual([]);
      await driver.close();
    }
    const response = await fetch(new URL(`/admin/v1/${name}`, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(response.status).toBe(404);
  });

  it('nobody makes himself greater than he is', async () => {
    const { token } = await world.holder(['admin:tokens'], 'person');
    for (const args of [
      { account: 'more', scopes: ['admin:*'] },
      { account: 'more', scopes: ['admin:read'] },
      { account: 'more', kind: 'owner', scopes: [] },
      { account: 'more', kind: 'service', scopes: ['lab:read'] },
    ]) {
      const { reason } = await attempt(world, world.remote(token), { name: 'tokens.create', args });
      expect([args, reason]).toEqual([args, 'insufficient_scope']);
    }
    const rotate = async ({ id }: Holder) =>
      attempt(world, world.remote(token), { name: 'tokens.rotate', args: { id } });
    expect((await rotate(await world.holder(['admin:*'], 'owner'))).reason).toBe('insufficient_scope');
    expect((await rotate(await world.holder(['lab:read']))).reason).toBe(undefined);
  });
});
