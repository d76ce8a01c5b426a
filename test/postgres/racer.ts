// One of several processes that race for the same things. Told where over IPC; says what it won.
import { openState } from '../../packages/gateway/src/store/index.ts';
import { type Race, raceNowMs } from './race.ts';

process.once('message', async ({ where, items }: Race) => {
  const state = await openState({ ...where, nowMs: () => raceNowMs });
  process.send?.('ready');
  process.once('message', async () => {
    const once = { nowMs: raceNowMs, goesOn: false };
    const names = Array.from({ length: items }, (_, at) => String(at));
    const each = async (take: (name: string) => Promise<boolean> | boolean): Promise<readonly boolean[]> => {
      const won: boolean[] = [];
      for (const name of names) won.push(await take(name));
      return won;
    };
    const grant = { user: '', upstream: 'u', issuer: 'i', sealed: 'before', scope: '', createdAtMs: 1, changedAtMs: 1 };
    const won = {
      'revoking a token': await each((name) => state.tokens.revoke(name, 5)),
      'replacing a token': await each((name) => rotated(name)),
      'using up a code': await each((name) => state.oauth.consume('AuthorizationCode', name, 5)),
      'showing an assertion': await each((name) => state.oauth.add({ model: 'Assertion', id: name, payload: '' })),
      'using a second factor': await each((name) => state.users.useTotpStep('ada', Number(name) + 1)),
      'taking a call': await each(async (name) => (await state.intents.take([name, 'all'], once)).taken),
      'ending an intent': await each((name) => state.intents.revoke(name, 5)),
      'going by an approval': await each((name) => state.approvals.reserve(name, once)),
      'renewing a grant': await each((name) =>
        state.grants.replace({ ...grant, user: name }, { sealed: `${process.pid}`, changedAtMs: 2 }),
      ),
      'lifting a containment': await each(
        async (name) => (await state.containments.lift(name, { by: 'x', atMs: 5 })) !== undefined,
      ),
    };
    process.send?.(won);
    await state.close();
    process.disconnect();

    /** Of two who add the same new one in its place, one does. */
    async function rotated(name: string): Promise<boolean> {
      const next = await state.tokens.find(`old ${name}`);
      if (next === undefined) return false;
      return state.tokens.rotate({ oldId: next.id, next: { ...next, id: `new ${name}` }, oldExpiresAtMs: 5 }).then(
        () => true,
        () => false,
      );
    }
  });
});
