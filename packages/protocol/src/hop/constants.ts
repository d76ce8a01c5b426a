/** The version of the hop protocol between gateway and services, sent in the challenge. */
export const hopVersion = 1;

/** Longest line after the proof, in UTF-16 code units. Whoever sends a longer one is cut off. */
export const maxLineLength = 8 * 1024 * 1024;

/** Longest line before the proof is done: a stranger may not make us hold more than this. */
export const maxProofLineLength = 4 * 1024;

/** The whole proof, from the connection to the acceptor's answer, takes at most this long. */
export const proofTimeoutMs = 2_000;

/** How often the gateway pings a service. */
export const pingIntervalMs = 1_000;

/** No answer to a ping for this long: the instance is suspected, and asked only if there is no other. */
export const suspectedAfterMs = 2_000;

/** Nothing heard for this long: the connection is destroyed, by either side. */
export const silentAfterMs = 5_000;

/**
 * The cipher of hops over TLS, for both sides: authenticated by the pre-shared key, with forward secrecy (RFC 8442's
 * key exchange with RFC 7905's cipher). Both sides also pin TLS 1.2, the newest whose pre-shared keys Node supports.
 */
export const hopCiphers = 'ECDHE-PSK-CHACHA20-POLY1305';

/**
 * From the session of a hop over mutual TLS both sides draw the key of the proof under this label (RFC 5705, RFC 8446 §7.5), so
 * that the proof is of this very channel.
 */
export const hopExporterLabel = 'EXPORTER-sallyport-hop-1';
/**
 * What a service may be called: a path segment, a name prefix, a file name in places; and not what the gateway itself is,
 * nor a path of its own below `/mcp`.
 */
export const serviceNamePattern =
  /^(?!(?:admin|sallyport|call|catalog|server-card|tools|views|ws)$)[a-z][a-z0-9-]{0,62}$/;

/** What a tool of a kit service may be called: `Handler.Method`, at most 64 characters. */
export const toolNamePattern = /^(?=.{3,64}$)[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*$/;

/** The `_meta` key under which a tool error carries its code. */
export const errorMetaKey = 'dev.sallyport/error';

/** The methods of MCP that `call` can carry. */
export const hopMethods = [
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
  'tasks/get',
  'tasks/update',
  'tasks/cancel',
] as const;

/** What a prompt of a kit service may be called. */
export const promptNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** MCP's extension for calls that go on in the background (SEP-2663). */
export const tasksExtension = 'io.modelcontextprotocol/tasks';

/** Between the instance and the rest of a task id or a request state: the name of an instance has none. */
const instanceMark = '~';

/** The id of something that one instance keeps: a task, or a call that waits for answers. */
export function keptId(instance: string, secret: string): string {
  return `${instance}${instanceMark}${secret}`;
}

/** Which instance keeps what has this id; `undefined` for an id that none can have made. */
export function keeperOf(id: string): string | undefined {
  const at = id.indexOf(instanceMark);
  return at > 0 ? id.slice(0, at) : undefined;
}
