// An MCP server of the second SDK over HTTP: modern only, without memory. Words: port, ledger.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { openLedger } from './upstream-ledger.ts';
import { createSecondServer } from './upstream-tools.ts';

const [port = '0', file = ''] = process.argv.slice(2);
const ledger = openLedger(file);
const handler = toNodeHandler(createMcpHandler(() => createSecondServer(ledger), { legacy: 'reject' }));
const http = createServer((request, response) => void handler(request as NodeIncomingMessageLike, response));
http.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp\n`);
});
