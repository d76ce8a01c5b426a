import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sallyport, startGateway, type TestGateway, trialService, writeConfig } from '../e2e/support/gateway.ts';
import { callOnce } from '../e2e/support/load.ts';
import { endAll, startNode, temporaryFolder } from '../e2e/support/program.ts';
import { noPostgres, type PostgresServer, startPostgres } from './server.ts';

describe.skipIf(noPostgres !== undefined)('two gateways that keep their audit logs in one PostgreSQL', () => {
  let server: PostgresServer;
  let url = '';
  let gateways: readonly TestGateway[] = [];
  let token = '';
  const calls: string[] = [];

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    const keys = join(temporaryFolder(), 'master.key');
    const start = (name: string) => {
      const place = `store: { kind: postgres, url: { env: STATE } }\naudit: { name: ${name}, durability: { reads: disk } }\nmasterKeyFile: ${keys}\n`;
      const config = writeConfig(temporaryFolder(), `${place}services:\n${trialService('trials')}\n`);
      return startGateway('run', config, { env: { STATE: url } });
    };
    gateways = [await start('north'), await start('south')];
    token = await gateways[0]!.mint('reader', ['trials:use']);
    for (let at = 0; at < 6; at++) {
      const { callId } = await callOnce({ mcp: gateways[at % 2]!.mcp, token, tool: 'trials.Trial.Limited' });
      if (callId !== undefined) calls.push(callId);
    }
  });
  afterAll(async () => {
    await endAll();
    if (noPostgres === undefined) await server.close();
  });

  const run = async (words: readonly string[], cwd = gateways[0]!.folder) => {
    const program = startNode([...sallyport, ...words], { cwd, env: { STATE: url } });
    const code = await program.ended;
    return { code, out: program.stdout(), err: program.stderr() };
  };
  const audit = (words: readonly string[], cwd?: string) => run(['audit', ...words], cwd);

  it('are searched together, page by page, and one by one', async () => {
    expect(calls).toHaveLength(6);
    const found: any[] = [];
    let before: readonly string[] = [];
    do {
      const words = ['search', '--tool', 'trials.Trial.Limited', '--limit', '4', '--json', ...before];
      const page = JSON.parse((await audit(words)).out);
      found.push(...page.records);
      before = page.next === undefined ? [] : ['--before', page.next];
    } while (before.length > 0);
    expect(found.map(({ callId }) => callId)).toEqual(calls.toReversed());
    expect(new Set(found.map(({ log }) => log))).toEqual(new Set(['sallyport/audit/north', 'sallyport/audit/south']));
    const south = JSON.parse(
      (await audit(['search', '--log', 'south', '--tool', 'trials.Trial.Limited', '--json'])).out,
    );
    expect(south.records).toHaveLength(3);
    expect((await audit(['search', '--tool', 'trials.Trial.Limited'])).out).toMatch(/^south#\d+ .*\n^north#\d+ /m);
    expect(await audit(['search', '--log', 'west'])).toMatchObject({ code: 2, err: expect.stringContaining('north') });
  });

  it('are verified each by itself, with the checkpoints that are kept elsewhere', async () => {
    const { code, out, err } = await audit(['verify']);
    expect([code, out.match(/one unbroken chain/g)?.length]).toEqual([0, 2]);
    expect(err).toContain('sallyport/audit/south');
    expect(err).not.toContain('No checkpoint was kept elsewhere');
  });

  it('give evidence and proofs that hold with the public key alone', async () => {
    const away = temporaryFolder();
    const key = (await audit(['key', '--log', 'north'])).out;
    const day = (await audit(['export', '--evidence', '--since', '24h', '--log', 'north'])).out;
    const proof = (await audit(['prove', calls[0]!])).out;
    for (const [name, text] of Object.entries({ key, day, proof })) writeFileSync(join(away, name), text);
    for (const file of ['day', 'proof']) {
      expect(await audit(['verify', file, '--key', 'key'], away)).toMatchObject({ code: 0 });
    }
    writeFileSync(join(away, 'day'), day.replaceAll('"subject":"reader"', '"subject":"mallory"'));
    expect(await audit(['verify', 'day', '--key', 'key'], away)).toMatchObject({ code: 1 });
  });

  it('change their signing key each in its own time: the one that is asked at once, the other when it starts again', async () => {
    const rotated = await run(['keys', 'rotate', 'audit-signing']);
    expect(rotated, rotated.err).toMatchObject({ code: 0 });
    const before = await audit(['verify']);
    expect(before, before.err).toMatchObject({ code: 0 });
    expect(before.err.match(/another key took over once/g)).toHaveLength(1);
    const south = gateways[1]!;
    south.program.child.kill('SIGTERM');
    await south.program.ended;
    const again = await startGateway('run', join(south.folder, 'sallyport.yaml'), { env: { STATE: url } });
    gateways = [gateways[0]!, again];
    const after = await audit(['verify']);
    expect(after, after.err).toMatchObject({ code: 0 });
    expect(after.err.match(/another key took over once/g)).toHaveLength(2);
  });

  it('refuse calls while the server is away, and lose no record of those that were answered', async () => {
    const answered: string[] = [];
    const call = async (at: number) => {
      const { end, callId } = await callOnce({ mcp: gateways[at]!.mcp, token, tool: 'trials.Trial.Limited' });
      if (end === 'answered' && callId !== undefined) answered.push(callId);
      return end;
    };
    await Promise.all([call(0), call(1)]);
    await server.stop('immediate');
    for (const at of [0, 1]) expect(await call(at)).not.toBe('answered');
    await server.start();
    for (const at of [0, 1]) await expect.poll(() => call(at), { timeout: 20_000 }).toBe('answered');
    for (const callId of answered) {
      expect(JSON.parse((await audit(['search', '--trace', callId, '--json'])).out).records).toHaveLength(1);
    }
    expect((await audit(['verify'])).code).toBe(0);
  });

  it('refuse to be two of one name', async () => {
    const config = join(gateways[0]!.folder, 'sallyport.yaml');
    const other = startNode([...sallyport, 'run', '--config', config, '--data', temporaryFolder()], {
      env: { STATE: url },
    });
    expect(await other.ended).not.toBe(0);
    expect(other.stderr()).toContain('another process is writing this audit log');
  });
});
