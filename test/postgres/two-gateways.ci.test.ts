import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sallyport, startGateway, type TestGateway, writeConfig } from '../e2e/support/gateway.ts';
import { endAll, startNode, temporaryFolder } from '../e2e/support/program.ts';
import { call, deskService, details, exchange } from '../intents/support.ts';
import { noPostgres, type PostgresServer, startPostgres } from './server.ts';

const write = 'desk.Desk.Write';
const store = 'store: { kind: postgres, url: { env: STATE_DATABASE } }';
const limits = 'limits: { peer: { rate: 10000, burst: 10000 }, presets: { write: { rate: 1000, burst: 1000 } } }';

/** A gateway in a folder of its own, with the master key of that other folder. */
function start(url: string, keys: string): Promise<TestGateway> {
  const services = `services:\n${deskService('/dev/null', ', scopes: [desk:use]')}`;
  const text = `${store}\nmasterKeyFile: ${join(keys, 'master.key')}\n${services}\n${limits}`;
  return startGateway('run', writeConfig(temporaryFolder(), text), { env: { STATE_DATABASE: url } });
}

describe.skipIf(noPostgres !== undefined)('two gateways on one PostgreSQL', () => {
  let server: PostgresServer;
  let one: TestGateway;
  let other: TestGateway;
  let token: string;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase();
    const keys = temporaryFolder();
    one = await start(url, keys);
    other = await start(url, keys);
    token = await one.mint('dana', ['desk:use'], 'person');
  });
  afterAll(async () => {
    await endAll();
    if (noPostgres === undefined) await server.close();
  });
  const statusAt = async (gateway: TestGateway, secret = token) =>
    (await call(gateway, secret, write, { text: 'x' })).status;

  it('let in who has a token of either, and soon none who was revoked at either', async () => {
    for (const [at, elsewhere] of [
      [one, other],
      [other, one],
    ] as const) {
      const made = await at.mint('eve', ['desk:use']);
      expect([await statusAt(at, made), await statusAt(elsewhere, made)]).toEqual([200, 200]);
      const { tokens } = await elsewhere.operate('tokens.list');
      const { id } = tokens.find((each: any) => each.account === 'eve' && each.state === 'active');
      await at.operate('tokens.revoke', { id });
      expect(await statusAt(at, made)).toBe(401);
      await expect.poll(() => statusAt(elsewhere, made), { interval: 5, timeout: 2_000 }).toBe(401);
    }
  });

  it('contain soon at both what is contained at either, and go on when either restores it', async () => {
    const made = await one.mint('mallory', ['desk:use']);
    const came = async (at: TestGateway) => (await call(at, made, write, { text: 'x' })).came;
    for (const [at, elsewhere] of [
      [one, other],
      [other, one],
    ] as const) {
      const { id } = await at.operate('containment.contain', { kind: 'principal', value: 'mallory' });
      expect(await came(at)).toBe('contained');
      await expect.poll(() => came(elsewhere), { interval: 5, timeout: 2_000 }).toBe('contained');
      await elsewhere.operate('containment.restore', { id });
      expect(await came(elsewhere)).toBe('answered');
      await expect.poll(() => came(at), { interval: 5, timeout: 2_000 }).toBe('answered');
    }
  });

  it('let exactly one of fifty calls pass under an intent for one', async () => {
    for (const at of [one, other, one, other]) {
      const made = await exchange(at, token, details({ calls: 1 }));
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => call(index % 2 ? one : other, made.token, write)),
      );
      const came = answers.map((answer) => answer.came).toSorted();
      expect(came).toEqual(['answered', ...Array.from({ length: 49 }, () => 'intent_spent')]);
    }
  });

  it('refuse while the database is gone, and go on when it is back', async () => {
    expect(await statusAt(other)).toBe(200);
    await server.stop('immediate');
    for (const each of [one, other]) {
      await expect.poll(async () => (await call(each, token, write)).came).toBe('store_unavailable');
    }
    // Nothing is done that cannot be recorded, and the log is in the same database.
    await expect(one.operate('gateway.status')).rejects.toMatchObject({ reason: 'audit_unavailable' });
    await server.start();
    for (const each of [one, other]) await expect.poll(() => statusAt(each)).toBe(200);
  });

  it('refuse while the database says nothing, and nobody waits for ever', async () => {
    server.freeze();
    await expect.poll(async () => (await call(one, token, write)).came).toBe('store_unavailable');
    server.thaw();
    await expect.poll(() => statusAt(one)).toBe(200);
  });

  it('are told by doctor whether the database answers', async () => {
    const examined = async (database: string) => {
      const program = startNode([...sallyport, 'doctor', '--json'], {
        cwd: one.folder,
        env: { STATE_DATABASE: database },
      });
      await program.ended;
      return JSON.parse(program.stdout()).findings.find(({ what }: any) => what === 'database');
    };
    const url = await server.createDatabase();
    expect(await examined(url)).toMatchObject({ state: 'good' });
    const refused = await examined(url.replace(server.password, 'planted'));
    expect(refused).toMatchObject({ state: 'bad', seen: expect.stringContaining('password authentication failed') });
    expect(JSON.stringify(refused)).not.toContain('planted');
  });

  it('never say the password, whatever happened', () => {
    for (const { program } of [one, other]) {
      expect(program.stderr() + program.stdout()).toContain('store_unavailable');
      expect(program.stderr() + program.stdout()).not.toContain(server.password);
    }
  });

  it('refuse to begin with other keys than those who share it have', async () => {
    const url = await server.createDatabase();
    const first = await start(url, temporaryFolder());
    first.program.kill();
    await first.program.ended;
    await expect(start(url, temporaryFolder())).rejects.toThrow('belongs to gateways with other keys');
  });
});
