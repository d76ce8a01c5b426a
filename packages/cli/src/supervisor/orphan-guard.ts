import { Socket } from 'node:net';

/*
 * Loaded into Node services before their own code (`--import`). The supervisor holds the other end of descriptor 3 and
 * never writes to it: when it closes, the supervisor is gone, even by SIGKILL, and the service must not outlive it.
 */
const graceMs = 5_000;

try {
  const parent = new Socket({ fd: 3, readable: true, writable: false });
  parent.on('error', leave);
  parent.on('close', leave);
  parent.resume();
  parent.unref();
} catch {
  // Started without a supervisor: nothing to watch.
}

function leave(): void {
  process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs).unref();
}
