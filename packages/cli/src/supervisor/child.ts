import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { systemCode } from '../exit.ts';

/** How to start a process. No shell is involved: the words go to the operating system as they are. */
export interface ChildPlan {
  readonly command: readonly string[];
  readonly cwd: string;
  /** The complete environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a process ended, in words for a person: `exit code 1`, `SIGKILL`, `cannot be started: …`. */
export interface ChildExit {
  readonly how: string;
  readonly clean: boolean;
}

/** A running process and everything it started. */
export interface Child {
  readonly pid: number | undefined;
  readonly exited: Promise<ChildExit>;
  /** The last lines it printed, oldest first. */
  lastLines(): readonly string[];
  /** Asks it to drain and end; after `graceMs` it is killed, with all it started. Resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

/** Kept for the message when a service does not come up. */
const rememberedLines = 20;
const defaultGraceMs = 5_000;

/** Every process that runs now. Should ours end in a way nobody foresaw, they end with it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/** Starts a process in a group of its own, so that ending it ends its children too, and Ctrl-C reaches only us. */
export function startChild(plan: ChildPlan, onLine: (line: string) => void): Child {
  const [program = '', ...args] = plan.command;
  const lines: string[] = [];
  const child = spawn(program, args, {
    cwd: plan.cwd,
    env: plan.env,
    detached: process.platform !== 'win32',
    // The fourth is a pipe nobody writes to: it closes when we die, however we die, and the child's guard sees that.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const remember = (line: string) => {
    lines.push(line);
    if (lines.length > rememberedLines) lines.shift();
    onLine(line);
  };
  readLines(child.stdout, remember);
  readLines(child.stderr, remember);
  const exited = whenExited(child);
  running.add(child);
  void exited.then(() => running.delete(child));
  return {
    pid: child.pid,
    exited,
    lastLines: () => [...lines],
    stop: async (graceMs = defaultGraceMs) => {
      signalGroup(child, 'SIGTERM');
      const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
      await exited;
      clearTimeout(kill);
    },
  };
}

function whenExited(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      // Also emitted when a signal could not be sent; only a process that never was ends this way.
      if (child.pid === undefined) resolve({ how: cannotStart(child, error), clean: false });
    });
    // `close` comes after the last line was read; its children may keep the pipes open, so `exit` ends them first.
    child.once('exit', () => signalGroup(child, 'SIGKILL'));
    child.once('close', (code, signal) => resolve({ how: signal ?? `exit code ${code}`, clean: code === 0 }));
  });
}

function cannotStart(child: ChildProcess, error: Error): string {
  const program = child.spawnfile;
  const reasons: Record<string, string> = {
    ENOENT: `cannot be started: "${program}" is not a program on the PATH, or its working folder does not exist`,
    EACCES: `cannot be started: "${program}" may not be executed`,
  };
  return reasons[systemCode(error) ?? ''] ?? `cannot be started: ${error.message}`;
}

const longestLine = 64 * 1024;

/** Lines of a program's output. One that does not end is cut: no program can fill this one's memory by not ending it. */
export function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  let pending = '';
  let isCut = false;
  const end = (text: string): void => {
    if (!isCut) onLine((pending + text).replace(/\r$/, ''));
    pending = '';
    isCut = false;
  };
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    const [first = '', ...rest] = chunk.split('\n');
    const last = rest.pop();
    if (last === undefined) {
      pending += isCut ? '' : first;
    } else {
      end(first);
      for (const line of rest) end(line);
      pending = last;
    }
    if (pending.length <= longestLine) return;
    onLine(`${pending.slice(0, longestLine)}…`);
    pending = '';
    isCut = true;
  });
  stream?.once('end', () => {
    if (pending !== '') end('');
  });
}

function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH' && systemCode(error) !== 'EPERM') throw error;
  }
}
