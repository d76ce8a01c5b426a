import type { Socket } from 'node:net';

/** What limits how many connections one address holds. */
export interface ConnectionLimits {
  /** Of one address at a time; more are closed as they come, before anything is read of them. */
  readonly maxPerPeer: number;
  /** Addresses behind which there are many: this machine, and proxies that are named. */
  readonly isShared: (address: string) => boolean;
}

/** The open connections of a listener. */
export interface Connections {
  /** Takes a connection in, or closes it. */
  admit(socket: Socket): void;
  readonly open: ReadonlySet<Socket>;
}

/** Keeps one stranger from holding all the connections there are. */
export function createConnections({ maxPerPeer, isShared }: ConnectionLimits): Connections {
  const open = new Set<Socket>();
  const counts = new Map<string, number>();
  return {
    open,
    admit(socket) {
      const { remoteAddress = 'unknown' } = socket;
      const count = counts.get(remoteAddress) ?? 0;
      if (count >= maxPerPeer && !isShared(remoteAddress)) {
        socket.destroy();
        return;
      }
      open.add(socket);
      counts.set(remoteAddress, count + 1);
      socket.once('close', () => {
        open.delete(socket);
        const left = (counts.get(remoteAddress) ?? 1) - 1;
        if (left > 0) counts.set(remoteAddress, left);
        else counts.delete(remoteAddress);
      });
    },
  };
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
