// An MCP server over stdio, which notes its process id. Words: `first` or `second` (which SDK), ledger.
import { existsSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { openLedger } from './upstream-ledger.ts';
import { addFirstTools, createSecondServer } from './upstream-tools.ts';

// Somebody wants it to be away.
if (existsSync(`${process.argv[3]}.barred`)) process.exit(1);
const [sdk, file = ''] = process.argv.slice(2);
const ledger = openLedger(file);
ledger.note(`pid ${process.pid}`);
if (sdk === 'second') serveStdio(() => createSecondServer(ledger));
else {
  const server = new McpServer({ name: 'first', version: '1.0.0' }, { capabilities: { tools: {} } });
  addFirstTools(server, ledger);
  // The SDK's own types disagree about optional members.
  await server.connect(new StdioServerTransport() as never);
}
