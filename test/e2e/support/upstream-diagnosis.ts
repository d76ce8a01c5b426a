import { once } from 'node:events';
import WebSocket from 'ws';
import { type Program, until } from './program.ts';
import { type Held, heldBy } from './upstream-memory.ts';

/** What a process holds, after it has let go of all that it can. */
export interface Diagnosis extends Held {
  /** Objects that are in use, in MiB. */
  readonly heap: number;
  /** What keeps the event loop busy, by kind. */
  readonly resources: Readonly<Record<string, number | undefined>>;
}

const address = /ws:\/\/[^\s]+/;

/** Asks a Node process over its inspector, which SIGUSR1 opens: nothing in the program has to be made for it. */
export async function diagnose(program: Program): Promise<Diagnosis> {
  if (!address.test(program.stderr())) program.kill('SIGUSR1');
  await until(() => address.test(program.stderr()), 'the inspector listens');
  const [url = ''] = address.exec(program.stderr()) ?? [];
  const socket = new WebSocket(url);
  await once(socket, 'open');
  try {
    let lastId = 0;
    const ask = async (method: string, params: object = {}): Promise<any> => {
      lastId += 1;
      const id = lastId;
      socket.send(JSON.stringify({ id, method, params }));
      for (;;) {
        const [data] = await once(socket, 'message');
        const message = JSON.parse(String(data)) as { id?: number; result?: object };
        if (message.id === id) return message.result;
      }
    };
    // Twice: what the first round frees may have held something else.
    await ask('HeapProfiler.collectGarbage');
    await ask('HeapProfiler.collectGarbage');
    const expression =
      'JSON.stringify({ heap: process.memoryUsage().heapUsed, resources: process.getActiveResourcesInfo() })';
    const { result } = await ask('Runtime.evaluate', { expression });
    const { heap, resources } = JSON.parse(result.value) as { heap: number; resources: readonly string[] };
    const counts: Record<string, number> = {};
    for (const name of resources) counts[name] = (counts[name] ?? 0) + 1;
    return { ...heldBy(program.pid), heap: Math.round(heap / 1_024 / 102.4) / 10, resources: counts };
  } finally {
    socket.close();
  }
}
