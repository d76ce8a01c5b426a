import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { announceTarget } from '../target.ts';

/** The floor: a bare HTTP server that reads the body as text and answers as many bytes as the gateway would. */
const answer = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  result: { content: [{ type: 'text', text: 'x'.repeat(220) }] },
});

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(body.length > 0 ? answer : '');
  });
});
server.listen(0, '127.0.0.1', () => announceTarget((server.address() as AddressInfo).port));
