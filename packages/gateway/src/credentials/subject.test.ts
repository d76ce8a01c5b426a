import { generateKeyPairSync } from 'node:crypto';
import type { Principal } from '@sallyport/core';
import { jwtVerify } from 'jose';
import { expect, it } from 'vitest';
import { subjectToken } from './subject.ts';

it('names everybody who stands between the subject and the call, in their order', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const principal = {
    ...{ subject: 'alice', client: 'app', tenant: 'acme' },
    actor: { subject: 'service:posts', actor: { subject: 'agent' } },
  } as Principal;
  const { token } = await subjectToken({
    settings: { kind: 'signed', issuer: 'https://gate.example', key: { env: 'KEY' }, algorithm: 'ES256' },
    ...{ principal, audience: 'https://login.example', clientId: 'gateway', nowMs: Date.now },
    readSecret: () => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const { payload } = await jwtVerify(token, publicKey, { audience: 'https://login.example' });
  expect(payload).toMatchObject({ sub: 'alice', client_id: 'app', tenant: 'acme' });
  expect(payload.act).toEqual({ sub: 'service:posts', act: { sub: 'agent' } });
});
