// `node client-program.ts <url>`: what the suite starts to test a client. Talks to the server at the URL as its scenario
// wants it, directly or, with `--via-gateway`, through a gateway that mounts it.
import { parseArgs } from 'node:util';
import { type Talk, talks } from './client/talks.ts';

const { values, positionals } = parseArgs({
  options: { 'via-gateway': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_PROTOCOL_VERSION: revision = '' } = process.env;
const talk = talks[scenario];
const [server] = positionals;
const isAuth = scenario.startsWith('auth/');
if ((talk === undefined && !isAuth) || server === undefined) throw new Error(`there is no such scenario: ${scenario}`);
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Talk['context'];

if (talk === undefined) {
  const { playAuth } = await import('./client/auth-world.ts');
  await playAuth({ scenario, revision, context: context as unknown as Readonly<Record<string, string>>, server });
} else if (values['via-gateway']) {
  const { mounted, startOpenGateway } = await import('./runner/gateway.ts');
  const gateway = await startOpenGateway({ [mounted]: server });
  try {
    await talk({ url: gateway.mount, revision, context });
  } finally {
    await gateway.close();
  }
} else {
  await talk({ url: new URL(server), revision, context });
}
