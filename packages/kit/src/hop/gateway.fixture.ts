// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallClaims,
  type CallTexts,
  callFrame,
  createAcceptor,
  createDialer,
  createLineSplitter,
  type HopCredential,
  type HopFrame,
  maxLineLength,
  readFrame,
  requestFrame,
  resultFrame,
} from '@sallyport/protocol';
import { nodeCrypto } from './node-crypto.ts';

/** A folder with a credential in it, for one test. */
export function createHopFolder(service: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-kit-'));
  const credential: HopCredential = { id: service, service, key: randomBytes(32).toString('base64url') };
  const credentialFile = join(folder, 'credential.json');
  writeFileSync(credentialFile, JSON.stringify(credential), { mode: 0o600 });
  return {
    folder,
    credential,
    credentialFile,
    socket: join(folder, 'hop.sock'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The gateway's end of one proved connection, with nothing clever in it. */
export interface GatewayEnd {
  readonly announcement: Promise<any>;
  readonly frames: HopFrame[];
  readonly closed: Promise<void>;
  /** Calls, with every claim right unless overridden; resolves with the answer. */
  call(tool: string, args: unknown, claims?: Partial<CallClaims & CallTexts>): Promise<HopFrame>;
  /** Sends any text. */
  send(text: string): void;
  /** Waits for the next frame that matches, those already seen included. */
  next(matches: (frame: HopFrame) => boolean): Promise<HopFrame>;
  /** What an `invoke` is answered with; by default nothing. */
  onInvoke: (id: string | number, params: any) => void;
  takesAnnouncements: boolean;
  /** Whether pings are answered, as the last one of a service that drains: it waits a second for an answer. */
  answersPings: boolean;
  readonly socket: Socket;
}

const usualClaims = {
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  timeoutMs: 5_000,
  transport: 'http',
  principal: { subject: 'alice', client: 'agent', kind: 'agent', scopes: ['x:y'], attributes: {} },
} as const;

/** Frames that came in, until somebody waits for them. */
function createInbox() {
  const frames: HopFrame[] = [];
  const listeners = new Set<(frame: HopFrame) => void>();
  const takeOut = (frame: HopFrame): HopFrame => {
    frames.splice(frames.indexOf(frame), 1);
    return frame;
  };
  return {
    frames,
    put(frame: HopFrame): void {
      frames.push(frame);
      for (const listener of [...listeners]) listener(frame);
    },
    next(matches: (frame: HopFrame) => boolean): Promise<HopFrame> {
      const seen = frames.find(matches);
      if (seen !== undefined) return Promise.resolve(takeOut(seen));
      return new Promise((resolve) => {
        const listener = (frame: HopFrame) => {
          if (!matches(frame)) return;
          listeners.delete(listener);
          resolve(takeOut(frame));
        };
        listeners.add(listener);
      });
    },
  };
}

function ping({ socket, send, closed }: GatewayEnd): void {
  const pings = setInterval(() => socket.writable && send(requestFrame('ping', 'ping')), 1_000).unref();
  void closed.then(() => clearInterval(pings));
}

const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** Without the members that are not there. */
function present<Value extends object>(value: Value): { [Key in keyof Value]?: NonNullable<Value[Key]> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}

/** Takes over a stream as a gateway would, on either side of the proof. */
export function createEnd(socket: Socket, prove: 'accept' | 'dial', credential: HopCredential): GatewayEnd {
  const acceptor = createAcceptor(nodeCrypto, (id) => (id === credential.id ? credential : undefined));
  const dialer = createDialer(nodeCrypto, credential);
  const announcement = Promise.withResolvers<any>();
  const inbox = createInbox();
  let stage: 'challenge' | 'proof' | 'open' = prove === 'accept' ? 'proof' : 'challenge';
  let seq = 0;
  const end: GatewayEnd = {
    announcement: announcement.promise,
    frames: inbox.frames,
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
    call(tool, args, { capabilitiesText, logLevel, retry, ...claims } = {}) {
      seq += 1;
      const all: CallClaims = {
        ...{ ...usualClaims, tool, call: randomUUID(), seq, audience: credential.service },
        ...claims,
      };
      const answer = end.next((frame) => 'id' in frame && frame.id === all.seq && frame.kind !== 'request');
      const texts = { argumentsText: JSON.stringify(args), ...present({ capabilitiesText, logLevel, retry }) };
      end.send(callFrame(all, texts, sha256));
      return answer;
    },
    send: (text) => void socket.write(text),
    next: inbox.next,
    onInvoke: () => undefined,
    takesAnnouncements: true,
    answersPings: true,
    socket,
  };
  const splitter = createLineSplitter(maxLineLength, (line) => {
    if (stage === 'challenge') {
      stage = 'proof';
      end.send(dialer.answer(line) ?? '');
    } else if (stage === 'proof') {
      stage = 'open';
      if (prove === 'accept') end.send(acceptor.accept(line).reply);
      else if (!dialer.verify(line)) socket.destroy();
    } else receive(readFrame(line));
  });
  const receive = (frame: HopFrame | undefined): void => {
    if (frame === undefined) throw new Error('The service sent something that is no frame');
    if (frame.kind === 'request' && frame.method === 'announce') {
      announcement.resolve(frame.params);
      const refusal = '{"jsonrpc":"2.0","id":0,"error":{"code":403,"message":"Not yours."}}\n';
      end.send(end.takesAnnouncements ? resultFrame(0, '{}') : refusal);
      return;
    }
    if (frame.kind === 'request' && frame.method === 'ping' && end.answersPings) end.send(resultFrame(frame.id, '{}'));
    if (frame.kind === 'request' && frame.method === 'invoke') end.onInvoke(frame.id, frame.params);
    inbox.put(frame);
  };
  socket.setEncoding('utf8').on('data', (chunk) => splitter.push(String(chunk)));
  socket.on('error', () => undefined);
  ping(end);
  if (prove === 'accept') end.send(acceptor.challenge);
  return end;
}

/** Listens like a gateway; `ends` grows with every connection. */
export async function listenAsGateway(path: string, credential: HopCredential, refuse = false) {
  const ends: GatewayEnd[] = [];
  const waiting: ((end: GatewayEnd) => void)[] = [];
  const server = createServer((socket) => {
    const end = createEnd(socket, 'accept', credential);
    end.takesAnnouncements = !refuse;
    ends.push(end);
    waiting.shift()?.(end);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    ends,
    nextEnd: () => new Promise<GatewayEnd>((resolve) => waiting.push(resolve)),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const { socket } of ends) socket.destroy();
      }),
  };
}

/** Dials a service that listens. */
export function dialAsGateway(path: string, credential: HopCredential): GatewayEnd {
  return createEnd(connect(path), 'dial', credential);
}
