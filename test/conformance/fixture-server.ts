// `node fixture-server.ts [--port 0]`: an MCP server with everything the conformance suite asks for, on 127.0.0.1.
// Prints its address as one JSON line and serves until it is told to end, or until what started it is gone.
import { parseArgs } from 'node:util';
import { startFixture } from './fixture/http.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const fixture = await startFixture(Number(values.port));
process.stdout.write(`${JSON.stringify({ url: fixture.url })}\n`);

const end = (): void => {
  void fixture.close().finally(() => process.exit(0));
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.once(signal, end);
