import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createConnections, isLoopback } from './connections.ts';

/** A connection from an address that this machine does not have: only the two things that are looked at. */
function from(remoteAddress: string): Socket {
  const socket = Object.assign(new EventEmitter(), {
    remoteAddress,
    destroyed: false,
    destroy() {
      this.destroyed = true;
      socket.emit('close');
    },
  });
  return socket as unknown as Socket;
}

test('one address cannot hold all connections, and gets room again as its own close', () => {
  const connections = createConnections({ maxPerPeer: 2, isShared: isLoopback });
  const sockets = Array.from({ length: 3 }, () => from('203.0.113.7'));
  const other = from('203.0.113.8');
  for (const socket of [...sockets, other]) connections.admit(socket);
  expect([...sockets, other].map((socket) => socket.destroyed)).toEqual([false, false, true, false]);
  expect(connections.open.size).toBe(3);
  sockets[0]?.destroy();
  const next = from('203.0.113.7');
  connections.admit(next);
  expect(next.destroyed).toBe(false);
});

test('this machine and named proxies stand for many', () => {
  const connections = createConnections({ maxPerPeer: 1, isShared: isLoopback });
  const sockets = ['127.0.0.1', '127.0.0.1', '::1', '::1', '::ffff:127.0.0.1'].map(from);
  for (const socket of sockets) connections.admit(socket);
  expect(sockets.some((socket) => socket.destroyed)).toBe(false);
});
