/** All ways in. */
export const ways = [
  'http-modern',
  'http-legacy',
  'http-session',
  'mount',
  'mount-session',
  'view',
  'ws',
  'ws-session',
  'ws-message-token',
  'stdio',
  'stdio-session',
  'stdio-bridge',
  'bridge-session',
  'rest',
  'embedded',
  'hop',
] as const;

/** One of them. */
export type Way = (typeof ways)[number];

/** The ways that can list: a service on its hop can only call. */
export const listingWays = ways.filter((way) => way !== 'hop');

/** Those that list prompts, resources and templates too. */
export const mcpWays = listingWays.filter((way) => way !== 'rest' && way !== 'embedded');

/** Those whose caller describes itself in every request, and can be given tasks and questions to come back with. */
export const modernWays: readonly Way[] = [
  'http-modern',
  'mount',
  'view',
  'ws',
  'ws-message-token',
  'stdio',
  'stdio-bridge',
];

/** Those that begin with `initialize`, and can be asked something while their request is open. */
export const sessionWays: readonly Way[] = [
  'http-session',
  'mount-session',
  'ws-session',
  'stdio-session',
  'bridge-session',
];

/** Those into a service that is mounted alone. */
export const isMount = (way: Way): boolean => way.startsWith('mount');

/** Those that send text as it was given. */
export const textWays = ways.filter((way) => way !== 'embedded' && way !== 'hop');

/** Those that turn strangers away before there is a call. */
export const greetingWays: ReadonlySet<Way> = new Set(['ws', ...sessionWays]);

/** One way of each kind: for questions where it is the kind that matters. */
export const fewWays: readonly Way[] = ['http-modern', 'http-session', 'ws', 'stdio-bridge', 'rest', 'embedded', 'hop'];
