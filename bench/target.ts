import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server under test in a process of its own, whose CPU time can be read. */
export interface Target {
  readonly port: number;
  /** What else the target wants the bench to know: a token, a socket path. */
  readonly details: Readonly<Record<string, string>>;
  /** Microseconds of CPU, user and system, since the process started. */
  cpuMicros(): Promise<number>;
  stop(): Promise<void>;
}

type Message = { ready: { port: number; details?: Record<string, string> } } | { cpu: number };

/** Starts `targets/<name>.ts` and waits until it listens. */
export async function startTarget(name: string, env: Readonly<Record<string, string>> = {}): Promise<Target> {
  const child = fork(fileURLToPath(new URL(`./targets/${name}.ts`, import.meta.url)), {
    execArgv: ['--conditions=sallyport-source'],
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const first = await nextMessage(child);
  if (!('ready' in first)) throw new Error(`${name} did not say that it is ready`);
  return {
    port: first.ready.port,
    details: first.ready.details ?? {},
    async cpuMicros() {
      child.send('cpu');
      const answer = await nextMessage(child);
      if (!('cpu' in answer)) throw new Error(`${name} did not tell its CPU time`);
      return answer.cpu;
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** To be called by a target when it listens: answers the bench's questions from then on. */
export function announceTarget(port: number, details: Readonly<Record<string, string>> = {}): void {
  process.on('message', (message) => {
    if (message !== 'cpu') return;
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system });
  });
  process.on('SIGTERM', () => process.exit(0));
  process.send?.({ ready: { port, details } });
}

async function nextMessage(child: ChildProcess): Promise<Message> {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`a target ended with code ${code}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), exited])) as [Message];
  return message;
}
