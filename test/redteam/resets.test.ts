import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createRig, startHttp } from '../../packages/gateway/src/transport/testing/rig.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

async function start(): Promise<number> {
  const { http, port } = await startHttp(createRig());
  cleanups.push(() => http.close(0));
  return port;
}

/** Sends, and resets the connection instead of closing it. */
function reset(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text, () => socket.resetAndDestroy());
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
  });
}

/** Sends, waits for the answer, and resets the connection: part of what was sent was never read. */
function abandon(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.once('data', () => socket.resetAndDestroy());
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
  });
}

function answerTo(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(text));
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      answer += piece;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });
}

// A gateway that dies of it fails the whole run: the error is one that nobody catches.
it.each([
  ['an upgrade to nowhere', `GET /nowhere HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`],
  [
    'the opening of a WebSocket',
    `GET /mcp/ws HTTP/1.1\r\nHost: localhost\r\n${upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  ],
  ['an upgrade that is no WebSocket', `GET /mcp/ws HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`],
  [
    'a request without its body',
    'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  ],
])('a stranger who resets the connection in the middle of %s harms nobody', async (_name, text) => {
  const port = await start();
  for (let i = 0; i < 20; i++) await reset(port, text);
  expect(await answerTo(port, 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toContain(
    'alive',
  );
});

it.each([
  ['with a bad token', 'Authorization: Bearer bad\r\n'],
  ['from a foreign page', 'Origin: https://evil.example\r\n'],
])('a stranger who is refused a WebSocket %s, and has sent more, keeps no connection', async (_name, header) => {
  const { http, port } = await startHttp(createRig());
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const text = `GET /mcp/ws HTTP/1.1\r\nHost: localhost\r\n${header}${upgrade}${key}\r\n${'x'.repeat(200_000)}`;
  for (let i = 0; i < 5; i++) await abandon(port, text);
  // Resolves only when no connection is left.
  await http.close(60_000);
});

// Before 24.9 Node itself takes every offer to upgrade for one that must be taken up: such a request gets a 404 there.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const nodeLetsUsChoose = major > 24 || (major === 24 && minor >= 9);

it.runIf(nodeLetsUsChoose)('a client that offers HTTP/2 with its request is answered as if it had not', async () => {
  const port = await start();
  const headers = 'Host: localhost\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n';
  const offer = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  const request = `POST /mcp HTTP/1.1\r\n${headers}${offer}Content-Length: ${body.length}\r\n\r\n${body}`;
  expect(await answerTo(port, request)).toMatch(/^HTTP\/1\.1 200 OK/);
});
