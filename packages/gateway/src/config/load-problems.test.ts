import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeConfigFolder } from './testing/config-folder.ts';

const { path, problemOf, remove } = makeConfigFolder();
afterAll(remove);

test.each([
  ['a mistyped key', 'version: 1\nlisten: { prot: 1 }', '2:11 unknown key "prot" in listen; did you mean "port"?'],
  [
    'a key in another case',
    'version: 1\ntrusted_proxies: []',
    '2:1 unknown key "trusted_proxies"; did you mean "trustedProxies"?',
  ],
  [
    'a key like no other',
    'version: 1\naudit: { zzzzzzzz: 1 }',
    '2:10 unknown key "zzzzzzzz" in audit; known here: refusalsPerPeer, refusalWindow, durability, sealOutput, retention, store, name, witness, webhooks',
  ],
  [
    'an attribute of no type',
    'version: 1\npolicy: { attributes: { level: number } }',
    '2:32 policy.attributes.level: expected one of string, long, boolean, strings, found "number"',
  ],
  [
    'a default that is none',
    'version: 1\npolicy: { default: allow }',
    '2:20 policy.default: expected scopes or deny, found "allow"',
  ],
  [
    'policies that are not there',
    'version: 1\npolicy: { files: [rules] }',
    `2:19 policy.files[0]: there is no file or folder ${join(path, 'rules')}`,
  ],
  [
    'a decision point over plain HTTP',
    'version: 1\npolicy: { external: [{ kind: opa, url: "http://pdp.example/v1/data/x" }] }',
    '2:40 policy.external[0].url: expected an https URL (http only for this machine), without path parameters, query or password, found "http://pdp.example/v1/data/x"',
  ],
  ['a missing version', 'data: x', '1:1 version is missing: expected 1, the version of this format'],
  ['another version', 'version: 2', '1:10 version: expected 1, the version of this format, found 2'],
  [
    'a quoted port',
    'version: 1\nlisten: { port: "80" }',
    '2:17 listen.port: expected a port, a whole number from 0 to 65535 (0: any free one), found "80"',
  ],
  [
    'a port out of range',
    'version: 1\nlisten: { port: 65536 }',
    '2:17 listen.port: expected a port, a whole number from 0 to 65535 (0: any free one), found 65536',
  ],
  [
    'a duration without unit',
    'version: 1\nauth: { maxTokenLife: 30 }',
    '2:23 auth.maxTokenLife: expected a duration like 500ms, 30s, 5m, 12h or 90d, found 30',
  ],
  [
    'an endless duration',
    'version: 1\nauth: { maxTokenLife: 9999d }',
    '2:23 auth.maxTokenLife: expected a duration between 1ms and 3650d, found "9999d"',
  ],
  [
    'a wrong size',
    'version: 1\nlimits: { maxRequestBytes: 4MB }',
    '2:28 limits.maxRequestBytes: expected a size: a number of bytes, or text like 64KiB or 4MiB, found "4MB"',
  ],
  [
    'a wrong rate',
    'version: 1\nlimits: { peer: fast }',
    '2:17 limits.peer: expected a rate: text like 50/s or 600/m, or { rate: 50, burst: 100 }, found "fast"',
  ],
  [
    'a mistyped part of a rate',
    'version: 1\nlimits: { peer: { rate: 5, bust: 1 } }',
    '2:28 unknown key "bust" in limits.peer; did you mean "burst"?',
  ],
  [
    'a wrong range',
    'version: 1\ntrustedProxies: [10.0.0.0/33]',
    '2:18 trustedProxies[0]: expected an address range like 10.0.0.0/8 or fd00::/8 (not everybody: /0 is refused), found "10.0.0.0/33"',
  ],
  [
    'trusting everybody',
    'version: 1\ntrustedProxies: [0.0.0.0/0]',
    '2:18 trustedProxies[0]: expected an address range like 10.0.0.0/8 or fd00::/8 (not everybody: /0 is refused), found "0.0.0.0/0"',
  ],
  [
    'a bad pattern',
    'version: 1\ntools: { "po sts": {} }',
    '2:10 expected a name like posts.Get or posts.prompts/Digest, without spaces; "*" stands for any run of characters',
  ],
  [
    'a bad service name',
    'version: 1\nservices: { Users: { command: [x] } }',
    '2:13 expected a service name: lower-case letters, digits and "-", starting with a letter, at most 63 long, and not one of the gateway\'s own (admin, sallyport, call, catalog, server-card, tools, views, ws)',
  ],
  [
    'both command and address',
    'version: 1\nservices:\n  a: { command: [x], address: "http://h/" }',
    '3:22 services.a: has both command and address; keep one',
  ],
  [
    'neither command nor address',
    'version: 1\nservices:\n  a: {}',
    '3:3 services.a: has neither command nor stdio (to start it) nor address (where it runs)',
  ],
  [
    'env for a foreign service',
    'version: 1\nservices:\n  a: { address: "http://h/", env: {} }',
    '3:30 services.a: env goes with command or stdio, not with address',
  ],
  [
    'both stdio and command',
    'version: 1\nservices:\n  a: { command: [x], stdio: [x] }',
    '3:22 services.a: has both command and stdio; keep one',
  ],
  [
    'a watch for a stdio service',
    'version: 1\nservices:\n  a: { stdio: [x], watch: [src] }',
    '3:20 services.a: watch goes with command, not with stdio',
  ],
  [
    'isolation of what speaks HTTP',
    'version: 1\nservices:\n  a: { address: "http://h/", isolation: caller }',
    '3:30 services.a: isolation goes with stdio, not with address',
  ],
  [
    'a number of processes of a shared service',
    'version: 1\nservices:\n  a: { stdio: [x], processes: { max: 2 } }',
    '3:20 services.a: processes goes with isolation: caller; a shared service has one',
  ],
  [
    'a credential for a stdio service',
    'version: 1\nservices:\n  a: { stdio: [x], credential: sallyport.yaml }',
    '3:20 services.a: credential goes with address; what stdio needs goes into env',
  ],
  [
    'a mistyped isolation',
    'version: 1\nservices:\n  a: { stdio: [x], isolation: callers }',
    '3:31 services.a.isolation: expected shared or caller, found "callers"',
  ],
  [
    'a method that MCP has',
    'version: 1\nservices:\n  a: { stdio: [x], methods: [tools/call] }',
    '3:30 services.a.methods[0]: expected a method of the service like acme/reindex; those of MCP itself need no permission, found "tools/call"',
  ],
  [
    'vendor methods of a kit service',
    'version: 1\nservices:\n  a: { command: [x], methods: [acme/x] }',
    '3:22 services.a: methods goes with stdio or address, not with command',
  ],
  [
    'a view of nothing',
    'version: 1\nviews:\n  empty: { tools: [] }',
    '3:3 views.empty: shows nothing; name tools, prompts or resources',
  ],
  [
    'a bad name of a view',
    'version: 1\nviews: { Help: { tools: ["x.*"] } }',
    '2:10 expected the name of a view: lower-case letters, digits and "-", starting with a letter, at most 63 long',
  ],
  [
    'a mistyped key of a view',
    'version: 1\nviews:\n  a: { tool: ["x.*"] }',
    '3:8 unknown key "tool" in views.a; did you mean "tools"?',
  ],
  [
    'a name in a view with a space',
    'version: 1\nviews:\n  a: { tools: ["x y"] }',
    '3:16 views.a.tools[0]: expected a name like posts.Get or posts.prompts/Digest, without spaces; "*" stands for any run of characters, found "x y"',
  ],
  [
    'a static service without credential',
    'version: 1\nservices:\n  a: { address: "tls:h:1" }',
    '3:8 services.a: a unix: or tls: address needs a credential',
  ],
  [
    'an unknown dependency',
    'version: 1\nservices:\n  users: { command: [x] }\n  a: { command: [x], dependsOn: [user] }',
    '4:34 services.a: depends on "user", which is not in services; did you mean "users"?',
  ],
  [
    'a circle of dependencies',
    'version: 1\nservices:\n  a: { command: [x], dependsOn: [b] }\n  b: { command: [x], dependsOn: [c] }\n  c: { command: [x], dependsOn: [b] }',
    '3:33 services.a: these wait for each other: b → c → b',
  ],
  [
    'a service that waits for itself',
    'version: 1\nservices:\n  a: { command: [x], dependsOn: [a] }',
    '3:33 services.a: these wait for each other: a → a',
  ],
  [
    'other machines without TLS',
    'version: 1\nlisten: { host: 0.0.0.0 }',
    '2:17 listen.host: 0.0.0.0 can be reached from other machines, and without TLS tokens could be read on the way; add listen.tls, or name the proxy that does TLS in trustedProxies',
  ],
  [
    'administration from other machines',
    'version: 1\nadmin: { host: "::" }',
    '2:16 admin.host: :: can be reached from other machines; administration is for this machine only, reach it through a tunnel',
  ],
  [
    'one port for both',
    'version: 1\nadmin: { port: 3000 }',
    '2:16 admin.port: 3000 is the port of listen; administration needs one of its own',
  ],
  [
    'a rate beside a preset',
    'version: 1\ntools:\n  a.*: { limit: { preset: read, rate: 1 } }',
    '3:33 tools["a.*"].limit: has both preset and rate; keep one',
  ],
  [
    'a burst without a rate',
    'version: 1\ntools:\n  a.*: { limit: { burst: 1 } }',
    '3:19 tools["a.*"].limit: burst needs a rate',
  ],
  ['an empty section', 'version: 1\nauth:\n', '2:1 auth: expected keys and values, found nothing'],
  [
    'a plain http public URL',
    'version: 1\npublicUrl: http://mcp.example.com',
    '2:12 publicUrl: expected an https URL (http only for this machine), without path parameters, query or password, found "http://mcp.example.com"',
  ],
  [
    'any origin',
    'version: 1\nallowedOrigins: ["*"]',
    '2:18 allowedOrigins[0]: expected an origin like https://app.example.com, without a path, found "*"',
  ],
  ['a duplicate key', 'version: 1\nversion: 1', '2:1 map keys must be unique'],
  ['a list', '- 1', '1:1 the file: expected a configuration: keys and values, starting with version: 1, found a list'],
  [
    'an empty file',
    '',
    '1:1 the file: expected a configuration: keys and values, starting with version: 1, found nothing',
  ],
])('%s is refused at its place, with what to do', async (_, text, expected) => {
  expect(await problemOf(text)).toBe(expected);
});
