import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { createMcpHttp } from './service-http.ts';

const clientInfo = { name: 'gate', version: '1.0.0' };

/** What is logged of a server at this port, until something is. */
async function saidOf(port: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  const service = createMcpHttp({ service: 'far', url: `http://127.0.0.1:${port}/mcp`, clientInfo, log });
  try {
    await vi.waitFor(() => expect(lines).not.toHaveLength(0), 15_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return lines;
  } finally {
    await service.upstream.close();
  }
}

it('a server that has never answered is told of once, and why', async () => {
  const server = createServer((_request, response) => response.writeHead(401).end());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const refused = await saidOf(port);
  await new Promise((resolve) => server.close(resolve));
  expect(refused.map((line) => JSON.parse(line))).toMatchObject([{ service: 'far', why: 'it answered HTTP 401' }]);
  expect((await saidOf(port)).map((line) => JSON.parse(line))).toMatchObject([{ service: 'far', why: 'ECONNREFUSED' }]);
});
