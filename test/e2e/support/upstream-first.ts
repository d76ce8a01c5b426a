// An MCP server of the first SDK over HTTP: legacy only, a session for each client. Words: port, ledger.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { openLedger } from './upstream-ledger.ts';
import { addFirstResource, addFirstTools } from './upstream-tools.ts';

const [port = '0', file = ''] = process.argv.slice(2);
const ledger = openLedger(file);
const sessions = new Map<string, StreamableHTTPServerTransport>();

const http = createServer(async (request, response) => {
  if (request.url === '/sessions') {
    response.end(String(sessions.size));
    return;
  }
  if (request.url === '/forget') {
    const known = [...sessions.values()];
    sessions.clear();
    for (const transport of known) await transport.close();
    response.end(String(known.length));
    return;
  }
  const id = request.headers['mcp-session-id'];
  const known = sessions.get(String(id));
  if (known === undefined && id !== undefined) {
    response.writeHead(404).end();
    return;
  }
  const transport =
    known ??
    new StreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (made) => void sessions.set(made, transport),
      onsessionclosed: (ended) => void sessions.delete(ended),
    });
  if (known === undefined) {
    const server = new McpServer(
      { name: 'first', version: '1.0.0' },
      { capabilities: { tools: {}, resources: { subscribe: true } } },
    );
    addFirstTools(server, ledger);
    addFirstResource(server, ledger);
    // The SDK's own types disagree about optional members.
    await server.connect(transport as never);
  }
  await transport.handleRequest(request, response);
});
http.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp\n`);
});
