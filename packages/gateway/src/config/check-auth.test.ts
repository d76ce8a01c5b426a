import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeConfigFolder } from './testing/config-folder.ts';

const { problemOf, problemsOf, write, remove } = makeConfigFolder();
beforeAll(() => {
  for (const file of ['cert.pem', 'key.pem', 'ca.pem']) write('', file);
});
afterAll(remove);

const tls = 'tls: { cert: cert.pem, key: key.pem';
const issuer = 'issuers: { company: { issuer: https://login.example } }';

test.each([
  [
    'an open view that is not there',
    "version: 1\nviews: { public: { tools: ['x.*'] } }\nauth: { anonymous: [{ view: pubic }] }",
    '3:29 auth.anonymous[0].view: "pubic" is not in views; did you mean "public"?',
  ],
  [
    'rules for certificates that nobody is asked for',
    "version: 1\nauth: { certificates: [{ subject: 'CN=ci' }] }",
    '2:9 auth.certificates: nobody is asked for a certificate; add listen.tls.clientCa, or name the proxy that asks in auth.certificateProxies',
  ],
  [
    'certificates that are optional, of nobody',
    `version: 1\nlisten: { ${tls}, clientAuth: optional } }`,
    '2:48 listen.tls.clientAuth: goes with clientCa, which says whose certificates are taken',
  ],
  [
    'an issuer whose tokens are meant for nobody',
    `version: 1\nlisten: { host: 0.0.0.0, ${tls} } }\nauth: { ${issuer} }`,
    '3:20 auth.issuers.company: none of its tokens could be meant for this gateway; say how agents call it in publicUrl, or name audiences',
  ],
])('%s is a mistake', async (_what, text, problem) => {
  expect(await problemOf(text)).toBe(problem);
});

test.each([
  [
    'an issuer where the gateway has an address',
    `publicUrl: https://gate.example\nlisten: { host: 0.0.0.0, ${tls} } }\nauth: { ${issuer} }`,
  ],
  [
    'an issuer with audiences',
    `listen: { host: 0.0.0.0, ${tls} } }\nauth: { issuers: { a: { issuer: https://login.example, audiences: [gate] } } }`,
  ],
  ['an issuer of a gateway for this machine', `auth: { ${issuer} }`],
  [
    'rules for certificates that a proxy asks for',
    "auth: { certificates: [{ subject: 'CN=ci' }], certificateProxies: [10.0.0.1/32] }",
  ],
  [
    'rules for certificates that are asked for',
    `listen: { ${tls}, clientCa: ca.pem, clientAuth: optional } }\nauth: { certificates: [{ subject: 'CN=ci' }] }`,
  ],
])('%s is none', async (_what, text) => {
  expect(await problemsOf(`version: 1\n${text}`)).toEqual([]);
});
