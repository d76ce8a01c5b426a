import { type Driver, nextId, noAnswer, notHere, readMcpAnswer, type Seen } from '@sallyport/testkit';
import { createInvocations, type OnInvoke } from '../../packages/gateway/src/registry/invocations.ts';

/**
 * A service that calls others over its own hop, as frames past the proof. It can call and not list, and what it sends is
 * printed anew, since a service sends values.
 */
export function hop(onInvoke: OnInvoke, service: string): Driver {
  const waiting = new Map<string, (frame: string) => void>();
  const invocations = createInvocations({
    ...{ service, instance: '1', onInvoke, inFlight: () => undefined },
    send: (frame) => waiting.get(String((JSON.parse(frame) as { id: unknown }).id))?.(frame),
  });
  return {
    name: 'hop',
    takesText: false,
    list: async () => noAnswer('a service cannot list'),
    call(tool, args = {}, { signal } = {}) {
      const id = nextId();
      const value = typeof args === 'string' ? JSON.parse(args) : args;
      return new Promise<Seen>((resolve) => {
        waiting.set(id, (frame) => {
          waiting.delete(id);
          resolve(readMcpAnswer(frame));
        });
        signal?.addEventListener('abort', () => invocations.cancel({ id }), { once: true });
        invocations.start(id, { tool, arguments: value });
      });
    },
    ask: async () => notHere(),
    raw: async () => noAnswer('frames are tested where they are read'),
    close: async () => invocations.abortAll(),
  };
}
