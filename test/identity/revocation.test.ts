import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../../packages/cli/src/cli.fixture.ts';
import { startGateway, writeConfig } from '../e2e/support/gateway.ts';
import { endAll, temporaryFolder } from '../e2e/support/program.ts';
import { drawKey, startIssuer } from './issuer.ts';

afterAll(endAll);
const run = promisify(execFile);

/** Changes the state database from a process that has nothing to do with the gateway. */
const outsider = `
  const { DatabaseSync } = require('node:sqlite');
  new DatabaseSync(process.argv[1]).prepare(process.argv[2]).run(...process.argv.slice(3));
`;

async function start(more = '') {
  const folder = temporaryFolder();
  const config = writeConfig(folder, `limits: { peer: { rate: 10000, burst: 10000 } }\n${more}`);
  const gateway = await startGateway('serve', config);
  const list = async (token: string): Promise<number> => {
    const url = new URL('/mcp/tools', gateway.mcp);
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    return response.status;
  };
  return { gateway, config, list };
}

const idOf = (token: string): string => token.split('_')[1] ?? '';

describe('a token that was good a moment ago', { timeout: 60_000 }, () => {
  it('is refused at the next call after the command line revoked it', async () => {
    const { gateway, config, list } = await start();
    const [token, other] = [await gateway.mint('alice', []), await gateway.mint('alice', [])];
    for (let calls = 0; calls < 3; calls++) expect([await list(token), await list(other)]).toEqual([200, 200]);
    const { code, err } = await cli(['token', 'revoke', idOf(token), '--config', config]);
    expect(code, err).toBe(0);
    expect([await list(token), await list(other)]).toEqual([401, 200]);
  });

  it('of an issuer is refused at the next call after the command line revoked it', async () => {
    const company = await startIssuer([await drawKey('e1')]);
    const { gateway, config, list } = await start(`
publicUrl: https://gate.example
auth: { issuers: { company: { issuer: '${company.url}' } } }
`);
    const [alice, bob] = [
      await company.mint({ aud: 'https://gate.example' }),
      await company.mint({ aud: 'https://gate.example', sub: 'bob' }),
    ];
    expect([await list(alice), await list(bob)]).toEqual([200, 200]);
    const command = async (...words: readonly string[]) => {
      const { code, out, err } = await cli(['token', ...words, '--config', config]);
      return { code, text: out + err };
    };
    const revoked = await command('revoke', '--issuer', 'company', '--subject', 'company:alice');
    expect(revoked).toMatchObject({ code: 0, text: expect.stringContaining('company:alice') });
    expect([await list(alice), await list(bob)]).toEqual([401, 200]);
    expect(await command('revocations', '--json')).toMatchObject({
      code: 0,
      text: expect.stringContaining('"value":"company:alice"'),
    });
    for (const words of [['abc', '--issuer', 'company', '--all'], []]) {
      expect((await command('revoke', ...words)).code).not.toBe(0);
    }
    expect(await list(bob)).toBe(200);
    expect((await gateway.records()).some(({ reason }) => reason === 'credential_revoked')).toBe(true);
    await company.close();
  });

  it('is refused at the next call after another process changed the database', async () => {
    const { gateway, list } = await start();
    const [token, other] = [await gateway.mint('alice', []), await gateway.mint('bob', [])];
    expect([await list(token), await list(other)]).toEqual([200, 200]);
    const change = async (...words: readonly string[]) =>
      run(process.execPath, ['-e', outsider, join(gateway.data, 'state.db'), ...words]);
    await change('UPDATE tokens SET revoked_at_ms = 1 WHERE id = ?', idOf(token));
    expect([await list(token), await list(other)]).toEqual([401, 200]);
    await change('UPDATE accounts SET disabled_at_ms = 1 WHERE name = ?', 'bob');
    expect(await list(other)).toBe(401);
    await change('UPDATE accounts SET disabled_at_ms = NULL WHERE name = ?', 'bob');
    expect(await list(other)).toBe(200);
    await change('DELETE FROM tokens WHERE id = ?', idOf(other));
    expect(await list(other)).toBe(401);
  });
});
