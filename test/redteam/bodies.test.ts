import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { afterEach, expect, it } from 'vitest';
import { createRig, startHttp } from '../../packages/gateway/src/transport/testing/rig.ts';
import { createHttpEndpoint } from '../../packages/gateway/src/upstream/mcp/http-endpoint.ts';
import { bytesHeld } from './support/memory.ts';
import { atEnd, endAll } from './support/world.ts';

afterEach(endAll);

const pieces = 400_000;
/** A chunk of one byte, as HTTP/1.1 frames it, many times. */
const crumbs = Buffer.from('1\r\nx\r\n'.repeat(pieces / 100));

/** Writes all the crumbs, as fast as they are read. */
async function strew(socket: Socket): Promise<void> {
  for (let sent = 0; sent < 100; sent++) await new Promise((resolve) => socket.write(crumbs, resolve));
}

// One object for each byte would be a hundred times as much.
const bound = 10 * 1024 * 1024;

it('a stranger who sends a body in pieces of one byte cannot make the gateway hold a hundred times as much', async () => {
  const { http, port } = await startHttp(createRig({ maxRequestBytes: 4 * 1024 * 1024 }));
  atEnd(() => http.close(0));
  const socket = connect(port, '127.0.0.1');
  atEnd(() => socket.destroy());
  socket.write('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n');
  socket.write('Transfer-Encoding: chunked\r\n\r\n');
  const before = bytesHeld();
  await strew(socket);
  await sleep(300);
  expect(bytesHeld() - before).toBeLessThan(bound);
});

it('neither can a server that answers like that', async () => {
  const strewn = Promise.withResolvers<Socket>();
  const server = createServer((_request, response) => {
    const { socket } = response;
    socket?.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    if (socket) void strew(socket).then(() => strewn.resolve(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => server.close());
  const dispatcher = new Agent();
  atEnd(() => dispatcher.destroy());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const before = bytesHeld();
  const { signal } = new AbortController();
  const answer = createHttpEndpoint({ url, dispatcher }).send({ method: 'POST', headers: {}, body: '{}', signal });
  const socket = await strewn.promise;
  await sleep(300);
  expect(bytesHeld() - before).toBeLessThan(bound);
  socket.end('0\r\n\r\n');
  expect((await answer).body).toBe('x'.repeat(pieces));
});
