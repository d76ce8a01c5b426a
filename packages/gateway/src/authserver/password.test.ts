import { describe, expect, it } from 'vitest';
import { hashPassword, isPassword } from './password.ts';

/** What is looked at is who is right and who waits, not how long it takes. */
const cheap = { ln: 4, r: 8, p: 1 };

describe('passwords', () => {
  it('are kept as hashes that say how they were made, and differ for the same password', async () => {
    const [one, other] = await Promise.all([
      hashPassword('correct horse'.repeat(2)),
      hashPassword('correct horse'.repeat(2)),
    ]);
    expect(one).toMatch(/^\$scrypt\$ln=16,r=8,p=2\$[\w+/]{22}==\$[\w+/]{43}=$/);
    expect(one).not.toBe(other);
    expect(await isPassword('correct horse'.repeat(2), one)).toBe(true);
    expect(await isPassword('correct horse', one)).toBe(false);
  });

  it('are the same however their characters were typed', async () => {
    const hash = await hashPassword('Zoe\u0308 wears a tie\u0301', cheap);
    expect(await isPassword('Zo\u00eb wears a ti\u00e9', hash)).toBe(true);
  });

  it.each(['', 'too short', 'x'.repeat(257)])('cannot be %.20j', async (password) => {
    await expect(hashPassword(password)).rejects.toMatchObject({ reason: 'invalid_input' });
  });

  it.each([undefined, '', 'plain', '$scrypt$ln=16,r=8,p=2$AAAA$AAAA', '$2b$10$abcdefghijklmnopqrstuv'])(
    'are never right for what is no hash (%j)',
    async (hash) => {
      for (const password of ['', '\0'.repeat(16), 'correct horse battery']) {
        expect(await isPassword(password, hash, cheap)).toBe(false);
      }
      expect(await isPassword('correct horse battery', hash)).toBe(false);
    },
  );

  it('that were hashed at one cost are right at any other', async () => {
    const hash = await hashPassword('correct horse battery', cheap);
    expect(hash).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$/);
    expect(await isPassword('correct horse battery', hash)).toBe(true);
    expect(await isPassword('correct horse battery', hash, { ln: 5, r: 8, p: 1 })).toBe(true);
  });

  it('are turned away when too many wait to be checked', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 24 }, () => isPassword('x', undefined, cheap)));
    const away = answers.filter(({ status }) => status === 'rejected');
    expect(away).toHaveLength(6);
    expect(away[0]).toMatchObject({ reason: { reason: 'peer_limited' } });
    expect(await isPassword('x', undefined, cheap)).toBe(false);
  });
});
