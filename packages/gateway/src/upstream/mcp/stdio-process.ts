import { isUtf8 } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { GatewayError } from '@sallyport/core';
import type { Logger } from 'pino';
import { createFairShare } from './fair-share.ts';
import { createComplaints } from './stdio-allowance.ts';
import { type CutLine, createLineReader, type LineReader } from './stdio-lines.ts';
import { createOutbox, type Outgoing } from './stdio-outbox.ts';
import { createStderrLog } from './stdio-stderr.ts';

/** Bounds of one process, and how long it is waited for. Lengths in bytes, times in milliseconds. */
export interface StdioBounds {
  /** Longest message of the server. */
  readonly maxLineBytes: number;
  /** Messages to the server that it has not read yet: how many, and how long together. */
  readonly maxWaitingMessages: number;
  readonly maxWaitingLength: number;
  /** After its input was closed, and again after SIGTERM. */
  readonly endMs: number;
  readonly terminateMs: number;
  /** How long it may take to say that it speaks the modern era, before it is greeted in the legacy one too. */
  readonly probeMs: number;
}

/** What holds unless somebody says otherwise. */
export const defaultStdioBounds: StdioBounds = {
  maxLineBytes: 8 * 1024 * 1024,
  maxWaitingMessages: 1_024,
  maxWaitingLength: 32 * 1024 * 1024,
  endMs: 2_000,
  terminateMs: 3_000,
  probeMs: 5_000,
};

/** A program to start. */
export interface StdioProcessOptions {
  readonly service: string;
  /** Program and arguments, for the operating system as they are. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** The complete environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Values that are blotted out of what it writes to its error output. */
  readonly secrets: readonly string[];
  readonly bounds: StdioBounds;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** A line that it wrote: no newline in it, valid UTF-8, not empty. */
  readonly onLine: (line: string) => void;
  /** A line that was too long to be kept. */
  readonly onTooLong: (cut: CutLine) => void;
}

/** A running program that speaks in lines. */
export interface StdioProcess {
  readonly pid: number | undefined;
  /** How it ended, in words for the log, once it has and all that it wrote was read. Never rejects. */
  readonly ended: Promise<string>;
  /** Sends a line. Returns how to take it back while nothing of it has left; false when it was too late. */
  send(message: Outgoing): () => boolean;
  /** Ends it: closes its input, then SIGTERM, then SIGKILL, to it and all it started. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** What the group still holds open after its first process has ended is closed after so long, in milliseconds. */
const stragglersMs = 1_000;

/**
 * Starts a stdio server in a process group of its own, without a shell. A program that cannot be started is one that ends
 * at once.
 */
export function startStdioProcess(options: StdioProcessOptions): StdioProcess {
  const child = spawnChild(options);
  if (typeof child === 'string') return neverStarted(child);
  const { bounds } = options;
  const outbox = createOutbox(child.stdin, {
    maxMessages: bounds.maxWaitingMessages,
    maxLength: bounds.maxWaitingLength,
  });
  const ended = whenEnded(child);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= end({ child, ended, closeInput: outbox.end, bounds });
    return stopping;
  };

  const inTurn = createFairShare(options.nowMs);
  read(child.stdout, stdoutReader(options), inTurn);
  read(child.stderr, createStderrLog({ ...options, pid: child.pid }), inTurn);
  // One that no longer reads or no longer writes is of no use, though it may go on running.
  child.stdin.on('error', () => void stop());
  child.stdout.once('end', () => void stop());
  void ended.then(outbox.destroy);
  return { pid: child.pid, ended, send: outbox.send, stop };
}

type PipedChild = ChildProcess & { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable };

function spawnChild({ command, cwd, env }: StdioProcessOptions): PipedChild | string {
  const [program = '', ...args] = command;
  try {
    const detached = process.platform !== 'win32';
    const child: ChildProcess = spawn(program, args, { cwd, env, detached, windowsHide: true, stdio: 'pipe' });
    if (isPiped(child)) return child;
    child.once('error', () => undefined);
    return 'cannot be started: too many files are open';
  } catch (error) {
    return `cannot be started: ${String(error)}`;
  }
}

/** Without descriptors left there are no streams, whatever the types of Node say. */
function isPiped(child: ChildProcess): child is PipedChild {
  return Boolean(child.stdin && child.stdout && child.stderr);
}

function neverStarted(how: string): StdioProcess {
  return {
    pid: undefined,
    ended: Promise.resolve(how),
    send({ onDropped }) {
      onDropped?.(new GatewayError('upstream_unavailable', {}, { cause: how }));
      return () => false;
    },
    async stop() {
      // There is nothing to end.
    },
  };
}

function whenEnded(child: PipedChild): Promise<string> {
  keepTrack(child);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      // Also emitted when a signal could not be sent; only a process that never was ends this way.
      if (child.pid === undefined) resolve(`cannot be started: ${error.message}`);
    });
    let stragglers: NodeJS.Timeout | undefined;
    child.once('exit', () => {
      signalGroup(child, 'SIGKILL');
      // Whoever left the group may hold our pipes open for ever.
      stragglers = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, stragglersMs);
    });
    child.once('close', (code, signal) => {
      clearTimeout(stragglers);
      resolve(signal ?? `exit code ${code}`);
    });
  });
}

function read(stream: Readable, lines: LineReader, inTurn: ReturnType<typeof createFairShare>): void {
  stream.on('data', (chunk: Buffer) => inTurn(stream, () => lines.push(chunk)));
  stream.once('close', lines.end);
  // What cannot be read ends with the process; its end says so.
  stream.on('error', () => undefined);
}

function stdoutReader(options: StdioProcessOptions): LineReader {
  const { bounds, onLine, onTooLong } = options;
  const complain = createComplaints(options);
  return createLineReader({
    maxBytes: bounds.maxLineBytes,
    onLine(line) {
      if (!isUtf8(line)) return complain('the server wrote a line that is not UTF-8; it is left out');
      const text = line.toString('utf8');
      if (text.trim() !== '') onLine(text);
    },
    onTooLong(cut) {
      complain('the server wrote a line that is too long; it is left out', { bytes: cut.bytes });
      onTooLong(cut);
    },
  });
}

interface Ending {
  readonly child: PipedChild;
  readonly ended: Promise<string>;
  readonly closeInput: () => void;
  readonly bounds: StdioBounds;
}

async function end({ child, ended, closeInput, bounds }: Ending): Promise<void> {
  closeInput();
  if (await within(ended, bounds.endMs)) return;
  signalGroup(child, 'SIGTERM');
  if (await within(ended, bounds.terminateMs)) return;
  signalGroup(child, 'SIGKILL');
  await ended;
}

/** Whether something comes about before so many milliseconds have passed. */
async function within(event: Promise<unknown>, ms: number): Promise<boolean> {
  let clock: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    clock = setTimeout(() => resolve(false), ms);
  });
  const isInTime = await Promise.race([event.then(() => true), late]);
  clearTimeout(clock);
  return isInTime;
}

function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended already, or belongs to somebody else by now: either way there is nothing of ours to end.
  }
}

/** Every process that runs now. Should ours end in a way nobody foresaw, they end with it. */
const running = new Set<ChildProcess>();

function killAll(): void {
  for (const child of running) signalGroup(child, 'SIGKILL');
}

function keepTrack(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', killAll);
  running.add(child);
  const forget = (): void => {
    if (running.delete(child) && running.size === 0) process.off('exit', killAll);
  };
  child.once('close', forget);
  child.once('error', () => {
    if (child.pid === undefined) forget();
  });
}
