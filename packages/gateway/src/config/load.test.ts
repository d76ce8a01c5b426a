import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './load.ts';
import type { Problem } from './source.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string | Uint8Array, name = 'sallyport.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function problemsOf(text: string | Uint8Array): Promise<readonly Problem[]> {
  const error = await loadConfig(write(text)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ConfigError) return error.problems;
  if (error !== undefined) throw error;
  return [];
}

/** `line:column message` of the only problem. */
async function problemOf(text: string | Uint8Array): Promise<string> {
  const problems = await problemsOf(text);
  expect(problems.map((problem) => problem.message)).toHaveLength(1);
  const [problem] = problems;
  return `${problem!.line}:${problem!.column} ${problem!.message}`;
}

test('the smallest file gives a total configuration with absolute paths', async () => {
  const { config, files, revision } = await loadConfig(write('version: 1\n'));
  expect(config).toMatchObject({
    data: join(folder, '.sallyport'),
    masterKeyFile: join(folder, '.sallyport-keys/master.key'),
    listen: { host: '127.0.0.1', port: 3000 },
    admin: { host: '127.0.0.1', port: 3001 },
    announce: { socket: join(folder, '.sallyport/hop.sock'), credentials: [] },
    tools: [],
    limits: { presets: { read: { rate: 50, burst: 100 }, expensive: { rate: 2, burst: 5 } }, headersTimeoutMs: 10_000 },
    auth: { maxTokenLifeMs: 90 * 86_400_000 },
    audit: { refusalsPerPeer: 20, refusalWindowMs: 60_000 },
  });
  expect(files).toEqual([join(folder, 'sallyport.yaml')]);
  expect(revision).toMatch(/^[0-9a-f]{64}$/);
});

test('every kind of service, override and unit is understood', async () => {
  write('{}', 'posts.json');
  const { config, files } = await loadConfig(
    write(`
version: 1
data: state
services:
  users: { command: [node, users.ts], cwd: ., env: { PORT: 80, DEBUG: true, NAME: x }, scopes: [posts:read] }
  posts: { address: 'unix:run/posts.sock', credential: posts.json, dependsOn: [users] }
  other: { address: 'http://127.0.0.1:9000/mcp', methods: [acme/reindex] }
  files: { stdio: [npx, server-files, /tmp], env: { LEVEL: 3 }, isolation: caller, processes: { max: 8 } }
  memory: { stdio: [memory], startTimeout: 5s, methods: [acme/forget] }
views:
  support: { tools: ['posts.*', users.Get], prompts: ['posts.prompts/*'], names: safe }
  docs: { resources: ['posts.resources/file:///docs/*'] }
tools:
  'posts.*': { limit: { preset: write, perTool: 600/m }, timeout: 1.5s }
  '*.Delete': { scopes: [posts:admin], limit: { rate: 5 }, internal: true, auditRequired: true }
limits: { maxRequestBytes: 64KiB, denied: 10/s, sessions: { max: 20, idle: 5s } }
announce: { listen: '[::]:4222', credentials: [{ file: posts.json }] }
`),
  );
  expect({ ...config.services }).toEqual({
    users: {
      kind: 'command',
      command: ['node', 'users.ts'],
      cwd: folder,
      env: { PORT: '80', DEBUG: 'true', NAME: 'x' },
      watch: [folder],
      dependsOn: [],
      instances: 1,
      scopes: ['posts:read'],
    },
    posts: {
      kind: 'static',
      address: `unix:${join(folder, 'run/posts.sock')}`,
      credential: join(folder, 'posts.json'),
      dependsOn: ['users'],
      scopes: [],
    },
    other: { kind: 'mcp', address: 'http://127.0.0.1:9000/mcp', methods: ['acme/reindex'], dependsOn: [], scopes: [] },
    files: {
      kind: 'stdio',
      command: ['npx', 'server-files', '/tmp'],
      cwd: folder,
      env: { LEVEL: '3' },
      isolation: 'caller',
      processes: { max: 8, idleMs: 600_000 },
      startTimeoutMs: 60_000,
      methods: [],
      dependsOn: [],
      scopes: [],
    },
    memory: {
      kind: 'stdio',
      command: ['memory'],
      cwd: folder,
      env: {},
      isolation: 'shared',
      processes: { max: 32, idleMs: 600_000 },
      startTimeoutMs: 5_000,
      methods: ['acme/forget'],
      dependsOn: [],
      scopes: [],
    },
  });
  expect(config.tools).toEqual([
    { pattern: 'posts.*', limit: { preset: 'write', perTool: { rate: 10, burst: 600 } }, timeoutMs: 1500 },
    {
      pattern: '*.Delete',
      scopes: ['posts:admin'],
      limit: { perPrincipal: { rate: 5, burst: 5 } },
      internal: true,
      auditRequired: true,
    },
  ]);
  expect({ ...config.views }).toEqual({
    support: { tools: ['posts.*', 'users.Get'], prompts: ['posts.prompts/*'], resources: [], names: 'safe' },
    docs: { tools: [], prompts: [], resources: ['posts.resources/file:///docs/*'], names: 'dotted' },
  });
  expect(config.limits).toMatchObject({
    maxRequestBytes: 65_536,
    denied: { rate: 10, burst: 10 },
    sessions: { max: 20, perPrincipal: 1_000, idleMs: 5_000 },
    parked: { max: 1_000, perPrincipal: 50, timeMs: 600_000 },
  });
  expect(config.catalog).toEqual({ serverCards: false });
  expect(config.announce).toMatchObject({ listen: { host: '::', port: 4222 } });
  expect(files).toEqual([join(folder, 'sallyport.yaml'), join(folder, 'posts.json')]);
});

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
    '2:10 unknown key "zzzzzzzz" in audit; known here: refusalsPerPeer, refusalWindow',
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
    '2:13 expected a service name: lower-case letters, digits and "-", starting with a letter, at most 63 long',
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

test('a loopback listener by any name, TLS, or a trusted proxy is enough to listen', async () => {
  write('x', 'tls.pem');
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1', '::ffff:127.0.0.1']) {
    expect(await problemsOf(`version: 1\nlisten: { host: '${host}' }`)).toEqual([]);
  }
  expect(await problemsOf('version: 1\nlisten: { host: 0.0.0.0, tls: { cert: tls.pem, key: tls.pem } }')).toEqual([]);
  expect(await problemsOf('version: 1\nlisten: { host: 0.0.0.0 }\ntrustedProxies: [10.0.0.0/8]')).toEqual([]);
});

test('a name that only looks like this machine is not this machine', async () => {
  for (const host of ['localhost.example.com', '127.evil.example', '::ffff:10.0.0.1', '0.0.0.0', '::']) {
    expect(await problemsOf(`version: 1\nlisten: { host: '${host}' }`)).toHaveLength(1);
  }
});

test('files that are named must exist, each is told', async () => {
  const problems = await problemsOf(`version: 1
listen: { tls: { cert: no.pem, key: no.key } }
announce: { credentials: [{ file: no1.json }] }
services:
  a: { address: 'tls:h:1', credential: no2.json }
  b: { command: [x], cwd: nowhere }
`);
  expect(problems.map(({ line, column }) => `${line}:${column}`)).toEqual(['2:24', '2:37', '3:35', '5:40', '6:27']);
});

test('all problems are told at once, in the order of the file', async () => {
  const problems = await problemsOf(
    'lissten: {}\nversion: 3\nservices: { a: {}, b: { comand: [x] } }\nadmin: { host: 10.0.0.1 }\n',
  );
  expect(problems.map(({ line }) => line)).toEqual([1, 2, 3, 3, 4]);
});

test('the message for a terminal shows file, place, line and a mark under the culprit', async () => {
  const path = write('version: 1\nlisten: { prot: 1 }\n');
  await expect(loadConfig(path)).rejects.toThrow(
    [
      `${path}:2:11 unknown key "prot" in listen; did you mean "port"?`,
      '    2 | listen: { prot: 1 }',
      '      |           ^^^^',
    ].join('\n'),
  );
});

test('environment values and passwords in URLs never show in a message', async () => {
  const texts = [
    'version: 1\nservices: { a: { comand: [x], env: { KEY: hunter2, B: "hunter2" } } }',
    'version: 1\nservices: { a: { address: "http://u:hunter2@h/", env: { KEY: hunter2 } } }',
    'version: 1\nservices: { a: { command: [x], env: { KEY: hunter2, KEY: hunter2 } } }',
  ];
  for (const text of texts) {
    const problems = await problemsOf(text);
    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  }
});

test('aliases work, alias bombs and foreign tags do not', async () => {
  expect(await problemsOf('version: 1\nlimits: { denied: &r { rate: 1, burst: 1 }, peer: *r }')).toEqual([]);
  const bomb = ['version: 1', 'a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (let level = 0; level < 8; level++) {
    const previous = String.fromCharCode(97 + level);
    bomb.push(
      `${String.fromCharCode(98 + level)}: &${String.fromCharCode(98 + level)} [${`*${previous},`.repeat(10)}]`,
    );
  }
  expect(await problemOf(bomb.join('\n'))).toMatch(/alias/i);
  expect(await problemOf('version: 1\ndata: !!js/function "x"')).toMatch(/^2:7 unresolved tag/);
});

test('what is not a text file is refused', async () => {
  expect(await problemOf(Uint8Array.of(0xff, 0xfe, 0x00))).toBe('1:1 the file is not UTF-8 text');
  await expect(loadConfig(join(folder, 'absent.yaml'))).rejects.toThrow(/absent\.yaml:1:1 there is no such file/);
  await expect(loadConfig(folder)).rejects.toThrow(/there is no such file/);
});

test('the revision follows the content of the file and of the credentials it names', async () => {
  write('one', 'c.json');
  const path = write('version: 1\nannounce: { credentials: [{ file: c.json }] }');
  const first = (await loadConfig(path)).revision;
  expect((await loadConfig(path)).revision).toBe(first);
  write('two', 'c.json');
  expect((await loadConfig(path)).revision).not.toBe(first);
});

test('names of object internals are lawful service names and nothing leaks from prototypes', async () => {
  const { config } = await loadConfig(write('version: 1\nservices: { constructor: { command: [x] } }'));
  expect(config.services.constructor).toMatchObject({ kind: 'command' });
  expect(config.services.valueOf).toBeUndefined();
  expect(await problemsOf('version: 1\nservices: { __proto__: { command: [x] } }')).toHaveLength(1);
});

test('whatever a file holds, it is loaded or refused with places, never anything else', async () => {
  const keys = fc.constantFrom(
    'version',
    'listen',
    'host',
    'port',
    'tls',
    'services',
    'tools',
    'limits',
    'env',
    '__proto__',
    'constructor',
    'a',
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(keys, tie('any'), { maxKeys: 4 }),
    ),
  })).any;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        value.map((data) => JSON.stringify(data)),
        fc.string(),
      ),
      async (text) => {
        for (const { line, column, message } of await problemsOf(text)) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
        }
      },
    ),
    { numRuns: 300 },
  );
});
