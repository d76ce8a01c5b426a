import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  createDialer,
  createLineSplitter,
  errorFrame,
  type HopCredential,
  type HopError,
  type HopFrame,
  maxLineLength,
  notificationFrame,
  type ProofCrypto,
  readFrame,
  requestFrame,
  resultFrame,
  type ServiceManifest,
} from '@sallyport/protocol';
import { hopCrypto } from '../hop-crypto.ts';

/** Credentials for the tests: the key follows from the service's name. */
export function fakeCredential(service: string, id = service): HopCredential {
  return { id, service, key: createHmac('sha256', 'tests').update(service).digest('base64url') };
}

/** A manifest with one tool, `Test.Echo`. */
export function fakeManifest(service: string, overrides: Partial<ServiceManifest> = {}): ServiceManifest {
  return {
    service,
    version: '1.0.0',
    tools: [{ name: 'Test.Echo', description: 'Echoes.', inputSchema: { type: 'object' } }],
    ...overrides,
  };
}

/** A call as the fake service got it: the line as it stood on the wire, and ways to answer. */
export interface FakeCall {
  readonly line: string;
  readonly id: number;
  readonly tool: string;
  /** The text between `"arguments":` and the end of the frame. */
  readonly argumentsText: string;
  readonly params: Readonly<Record<string, unknown>>;
  answer(resultText: string): void;
  fail(error: HopError): void;
  notify(method: string, params: object): void;
}

/** How a fake service behaves. */
export interface FakeServiceOptions {
  readonly credential: HopCredential;
  readonly manifest: ServiceManifest;
  readonly instance?: string;
  readonly onCall?: (call: FakeCall) => void;
  readonly answerPings?: boolean;
  readonly crypto?: ProofCrypto;
  /** Makes the connection; default: the Unix socket at `path`. */
  readonly dial?: () => Socket;
}

/** A service that speaks the hop by hand, so that tests see every line of it. */
export interface FakeService {
  readonly socket: Socket;
  /** What the gateway answered to the announcement; rejects when the connection closed instead. */
  readonly announced: Promise<HopFrame>;
  readonly closed: Promise<void>;
  readonly calls: FakeCall[];
  readonly frames: HopFrame[];
  send(frame: string): void;
  request(id: string, method: string, params: object): Promise<HopFrame>;
  /** Dies as a killed process does. */
  kill(): void;
}

/** A tool result with this text. */
export function textResult(text: string): string {
  return JSON.stringify({ content: [{ type: 'text', text }] });
}

/** Starts a fake service that announces itself to the gateway at this socket. */
export function startFakeService(path: string, options: FakeServiceOptions): FakeService {
  const { credential, manifest, instance = 'i1', onCall, answerPings = true } = options;
  const socket = options.dial?.() ?? connect(path);
  const dialer = createDialer(options.crypto ?? hopCrypto, credential);
  const announced = Promise.withResolvers<HopFrame>();
  const closed = Promise.withResolvers<void>();
  const calls: FakeCall[] = [];
  const frames: HopFrame[] = [];
  const answers = new Map<string | number, (frame: HopFrame) => void>([[0, announced.resolve]]);
  announced.promise.catch(() => undefined);

  const serve = (line: string): void => {
    const frame = readFrame(line);
    if (frame === undefined) throw new Error(`not a frame: ${line}`);
    frames.push(frame);
    if (frame.kind === 'result' || frame.kind === 'error') answers.get(frame.id)?.(frame);
    if (frame.kind !== 'request') return;
    if (frame.method === 'ping' && answerPings) socket.write(resultFrame(frame.id, '{}'));
    if (frame.method !== 'call') return;
    const call = toCall(line, frame, socket);
    calls.push(call);
    if (onCall) onCall(call);
    else call.answer(textResult(call.argumentsText));
  };
  let step = 0;
  const splitter = createLineSplitter(maxLineLength, (line) => {
    step += 1;
    if (step === 1) socket.write(dialer.answer(line) ?? '\n');
    else if (step > 2) serve(line);
    else if (dialer.verify(line)) socket.write(requestFrame(0, 'announce', { instance, manifest }));
    else announced.reject(new Error(`refused: ${line}`));
  });
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => splitter.push(chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    announced.reject(new Error('closed'));
    closed.resolve();
  });

  return {
    socket,
    announced: announced.promise,
    closed: closed.promise,
    calls,
    frames,
    send: (frame) => void socket.write(frame),
    request(id, method, params) {
      const { promise, resolve } = Promise.withResolvers<HopFrame>();
      answers.set(id, resolve);
      socket.write(requestFrame(id, method, params));
      return promise;
    },
    kill: () => void socket.destroy(),
  };
}

function toCall(line: string, frame: Extract<HopFrame, { kind: 'request' }>, socket: Socket): FakeCall {
  const params = frame.params as Readonly<Record<string, unknown>>;
  const marker = '"arguments":';
  return {
    line,
    id: Number(frame.id),
    tool: String(params.tool),
    argumentsText: line.slice(line.indexOf(marker) + marker.length, -2),
    params,
    answer: (resultText) => void socket.write(resultFrame(frame.id, resultText)),
    fail: (error) => void socket.write(errorFrame(frame.id, error)),
    notify: (method, told) => void socket.write(notificationFrame(method, told)),
  };
}
