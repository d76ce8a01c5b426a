import { GatewayError, type JsonText } from '@sallyport/core';
import { type Era, isJsonObject, legacyRevisions, metaKeys, modernRevisions } from '@sallyport/protocol';
import type { Beginning, ServerAnswer, ServerFacts } from './conversation.ts';
import { readServerInfo } from './facts.ts';
import type { StdioEnvelope, StdioPeer } from './stdio-peer.ts';

/** What a server turned out to speak, and what it said of itself. */
export interface Introduction {
  readonly era: Era;
  readonly version: string;
  readonly server: ServerFacts;
  /** For every request of the modern era. */
  readonly envelope?: StdioEnvelope;
}

/** Whom to greet, and how. */
export interface Greeting {
  readonly peer: StdioPeer;
  readonly beginning: Pick<Beginning, 'clientInfo' | 'capabilitiesText'>;
  /** Fires when the server had time enough, or is gone. */
  readonly signal: AbortSignal;
  /** How long it may take to answer `server/discover` before it is greeted as a legacy one too, in milliseconds. */
  readonly probeMs: number;
}

/**
 * Finds out what a server speaks: the modern era if it answers `server/discover`, and else, also when it says nothing for a
 * while, the legacy one, with its handshake (MCP 2026-07-28, stdio, backward compatibility). A modern server that only was
 * slow to start is recognised when its answer comes.
 *
 * @returns `undefined` when it speaks neither.
 * @throws GatewayError when it ends, or does not answer at all.
 */
export async function greetEither(greeting: Greeting): Promise<Introduction | undefined> {
  const discovering = greetModern(greeting);
  // Whoever answers first is waited for below; the other may fail on its own.
  discovering.catch(() => undefined);
  const first = await unlessLate(discovering, greeting.probeMs);
  if (first !== 'late') return first ?? greetLegacy(greeting);
  const initializing = greetLegacy(greeting);
  initializing.catch(() => undefined);
  return firstOf([initializing, discovering]);
}

/** Asks a server what it offers. @returns `undefined` when it does not speak the modern era. */
export async function greetModern({ peer, beginning, signal }: Greeting): Promise<Introduction | undefined> {
  const version = modernRevisions[0] ?? '';
  const envelope = { version, clientInfo: beginning.clientInfo, capabilitiesText: beginning.capabilitiesText };
  const answer = await peer.request(plain('server/discover', '{}', signal), envelope);
  const server = readDiscovery(answer, version);
  return server && { era: 'modern', version, server, envelope };
}

/** Shakes hands with a server. @returns `undefined` when it does not speak the legacy era. */
export async function greetLegacy({ peer, beginning, signal }: Greeting): Promise<Introduction | undefined> {
  const { clientInfo, capabilitiesText } = beginning;
  const wanted = JSON.stringify(legacyRevisions[0]);
  const params = `{"protocolVersion":${wanted},"capabilities":${capabilitiesText},"clientInfo":${JSON.stringify(clientInfo)}}`;
  const answer = await peer.request(plain('initialize', params, signal));
  if (answer.kind === 'error') return undefined;
  const { protocolVersion, capabilities, serverInfo, instructions } = answer.value;
  if (typeof protocolVersion !== 'string' || !isLegacyVersion(protocolVersion)) return undefined;
  await peer.notify('notifications/initialized', '{}');
  return {
    era: 'legacy',
    version: protocolVersion,
    server: {
      info: readServerInfo(serverInfo),
      capabilities: isJsonObject(capabilities) ? capabilities : {},
      ...(typeof instructions === 'string' && { instructions }),
    },
  };
}

function plain(method: string, paramsText: string, signal: AbortSignal) {
  return { method, paramsText: paramsText as JsonText, credential: { kind: 'none' as const }, signal };
}

function readDiscovery(answer: ServerAnswer, version: string): ServerFacts | undefined {
  if (answer.kind === 'error') return undefined;
  const { supportedVersions, capabilities, instructions, _meta } = answer.value;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(version)) return undefined;
  return {
    info: readServerInfo(isJsonObject(_meta) ? _meta[metaKeys.serverInfo] : undefined),
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' && { instructions }),
  };
}

/** One of the known revisions, or one from before them. */
function isLegacyVersion(version: string): boolean {
  const newest = legacyRevisions[0] ?? '';
  return legacyRevisions.includes(version) || (/^\d{4}-\d{2}-\d{2}$/.test(version) && version < newest);
}

async function unlessLate<T>(promise: Promise<T>, ms: number): Promise<T | 'late'> {
  let clock: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    clock = setTimeout(() => resolve('late'), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(clock);
  }
}

/** The first that recognised the server; `undefined` when none did, and its error when one failed and none did. */
async function firstOf(all: readonly Promise<Introduction | undefined>[]): Promise<Introduction | undefined> {
  const recognised = all.map(async (each) => {
    const introduction = await each;
    if (introduction === undefined) throw notRecognised;
    return introduction;
  });
  try {
    return await Promise.any(recognised);
  } catch (error) {
    const errors = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
    const failure = errors.find((each) => each !== notRecognised);
    if (failure !== undefined) throw failure;
    return undefined;
  }
}

const notRecognised = new GatewayError('upstream_unavailable', {}, { cause: 'the server speaks no known MCP' });
