import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server under test in a process of its own, whose CPU time can be read. */
export interface Target {
  readonly port: number;
  /** What else the target wants the bench to know: a token, a socket path. */
  readonly details: Readonly<Record<string, string>>;
  /** Microseconds of CPU, user and system, since the process started. */
  cpuMicros(): Promise<number>;
  /** Bytes held, after a garbage collection. */
  memory(): Promise<{ readonly rss: number; readonly heap: number }>;
  stop(): Promise<void>;
}

type Message =
  | { ready: { port: number; details?: Record<string, string> } }
  | { cpu: number }
  | { memory: { rss: number; heap: number } };

/** Starts `targets/<name>.ts` and waits until it listens. */
export async function startTarget(name: string, env: Readonly<Record<string, string>> = {}): Promise<Target> {
  const child = fork(fileURLToPath(new URL(`./targets/${name}.ts`, import.meta.url)), {
    execArgv: ['--conditions=sallyport-source', '--expose-gc'],
    env: { PATH: process.env.PATH, SALLYPORT_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const answers: ((message: Message) => void)[] = [];
  child.on('message', (message: Message) => answers.shift()?.(message));
  const gone = once(child, 'exit');
  const failed = gone.then(([code]) => Promise.reject(new Error(`${name} ended with code ${code}`)));
  const answer = () => Promise.race([new Promise<Message>((resolve) => answers.push(resolve)), failed]);
  failed.catch(() => undefined);

  const first = await answer();
  if (!('ready' in first)) throw new Error(`${name} did not say that it is ready`);
  return {
    port: first.ready.port,
    details: first.ready.details ?? {},
    async cpuMicros() {
      const told = answer();
      child.send('cpu');
      const message = await told;
      if (!('cpu' in message)) throw new Error(`${name} did not tell its CPU time`);
      return message.cpu;
    },
    async memory() {
      const told = answer();
      child.send('memory');
      const message = await told;
      if (!('memory' in message)) throw new Error(`${name} did not tell its memory`);
      return message.memory;
    },
    async stop() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** To be called by a target when it listens: answers the bench's questions from then on. */
export function announceTarget(port: number, details: Readonly<Record<string, string>> = {}): void {
  process.on('message', (message) => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage();
      process.send?.({ cpu: user + system });
    } else if (message === 'memory') {
      globalThis.gc?.();
      const { rss, heapUsed, external } = process.memoryUsage();
      process.send?.({ memory: { rss, heap: heapUsed + external } });
    }
  });
  process.on('SIGTERM', () => process.exit(0));
  process.send?.({ ready: { port, details } });
}
