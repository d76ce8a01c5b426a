/*
 * An auditor's walk: what somebody who trusts nobody can find out about a gateway, with files and a public key. Every step is a
 * `sallyport` command that is printed as it is run. `npm start -- --story audit` at the top of the repository; `--json` prints it
 * for programs. Ends with 1 if anything is not as it should be.
 */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectAgent, type Running, startExample } from '@sallyport/example-stage';
import { z } from 'zod';
import { createAuditor, type Verdict } from './auditor.ts';
import { tamperings } from './tamperings.ts';

const json = process.argv.includes('--json');
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const config = fileURLToPath(new URL('../sallyport.yaml', import.meta.url));
const minted = z.object({ token: z.string() });
const found = z.object({ records: z.array(z.object({ callId: z.string() })).min(1) });

/** Lets an agent make some calls, and returns how many. */
async function call(blog: Running, count: number): Promise<void> {
  const words = ['--name', 'agent', '--scope', 'users:read,posts:read'];
  const { token } = minted.parse(JSON.parse(await blog.sallyport('token', 'create', '--json', ...words)));
  const agent = await connectAgent(blog.mcpUrl(), token);
  for (let at = 0; at < count; at++) await agent.call('posts.PostService.List', {});
  await agent.close();
}

/** A copy of a gateway with all its data and keys: what its owner can make, who may want another past. */
async function fork(original: Running): Promise<Running> {
  const { DatabaseSync } = await import('node:sqlite');
  return startExample((folder) => {
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    cpSync(join(original.folder, 'data-keys'), join(folder, 'data-keys'), { recursive: true });
    copyFileSync(join(original.folder, 'data/audit.checkpoint'), join(data, 'audit.checkpoint'));
    for (const name of ['audit.db', 'audit-keys.db', 'state.db']) {
      const database = new DatabaseSync(join(original.folder, 'data', name), { readOnly: true });
      database.exec(`VACUUM INTO '${join(data, name)}'`);
      database.close();
    }
    return config;
  });
}

const away = mkdtempSync(join(tmpdir(), 'sallyport-auditor-'));
const auditor = createAuditor(away, say);
const verdicts: (Verdict & { readonly step: string; readonly asItShould: boolean })[] = [];
const expectTo = async (step: string, ok: boolean, verdict: Promise<Verdict>): Promise<void> => {
  const seen = await verdict;
  verdicts.push({ step, asItShould: seen.ok === ok, ...seen });
  say(`  ${seen.ok === ok ? '✓' : '✗'} ${step}: ${seen.ok ? 'verified' : seen.finding}\n`);
};
const give = (name: string, text: string): string => {
  writeFileSync(join(away, name), text);
  return name;
};

say('Starting three services behind a gateway …\n');
const blog = await startExample(() => config);
let other: Running | undefined;
try {
  say('— The operator gives the auditor the public key, before anything happens.\n');
  say('$ sallyport audit key > gateway.vkey');
  const key = give('gateway.vkey', await blog.sallyport('audit', 'key'));
  await call(blog, 12);

  say('\n— Later, the operator exports a day, and proves one call.\n');
  say('$ sallyport audit export --evidence --since 24h > day.ndjson');
  const day = await blog.sallyport('audit', 'export', '--evidence', '--since', '24h');
  give('day.ndjson', day);
  const search = ['audit', 'search', '--tool', 'posts.PostService.List', '--limit', '1', '--json'];
  const [one] = found.parse(JSON.parse(await blog.sallyport(...search))).records;
  say(`$ sallyport audit prove ${one?.callId} > call.proof`);
  const proof = give('call.proof', await blog.sallyport('audit', 'prove', one?.callId ?? ''));

  say('\n— The auditor has these files and nothing else.\n');
  await expectTo('the day', true, auditor.verify('day.ndjson', '--key', key));
  await expectTo('the call', true, auditor.verify(proof, '--key', key));
  const forged = readFileSync(join(away, proof), 'utf8').replaceAll('"agent"', '"mallory"');
  await expectTo('the call, of somebody else', false, auditor.verify(give('forged.proof', forged), '--key', key));

  say('— What whoever carried the file may have done to it.\n');
  const lines = day.trimEnd().split('\n');
  for (const { name, act } of tamperings) {
    await expectTo(name, false, auditor.verify(give('tampered.ndjson', `${act(lines).join('\n')}\n`), '--key', key));
  }

  say('— What the owner of the key may have done: another past, signed as well as the first.\n');
  other = await fork(blog);
  await call(other, 30);
  const past = await other.sallyport('audit', 'export', '--evidence', '--since', '24h');
  give('other-past.ndjson', past);
  await call(blog, 6);
  // A start keeps a checkpoint at its second place at once; otherwise there is one every ten seconds.
  await blog.killAndRestart();
  say('$ cp <beside the master key>/audit-checkpoints.log checkpoints.log     # kept elsewhere');
  copyFileSync(join(blog.folder, 'data-keys/audit-checkpoints.log'), join(away, 'checkpoints.log'));
  await expectTo('a fork, without a witness', true, auditor.verify('other-past.ndjson', '--key', key));
  const witness = ['--key', key, '--witness', 'checkpoints.log'];
  await expectTo('a fork, with a witness', false, auditor.verify('other-past.ndjson', ...witness));
  await expectTo('the day, with the witness', true, auditor.verify('day.ndjson', ...witness));

  const wrong = verdicts.filter(({ asItShould }) => !asItShould);
  if (json) process.stdout.write(`${JSON.stringify({ ok: wrong.length === 0, verdicts })}\n`);
  else say(`${verdicts.length - wrong.length} of ${verdicts.length} as they should be.`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await other?.close();
  await blog.close();
  rmSync(away, { recursive: true, force: true });
}
