/** The clients of the matrix, and what the documentation calls them. */
export const clientNames = {
  v1: 'SDK v1',
  'v2 auto': 'SDK v2, `auto`',
  'v2 pinned': 'SDK v2, pinned to 2026-07-28',
} as const;

/** The servers of the matrix, by the name of their service, and what the documentation calls them. */
export const serverNames = {
  first: 'SDK v1 over HTTP',
  second: 'SDK v2 over HTTP, modern only',
  both: 'SDK v2 over HTTP, both eras',
  stdio: 'SDK v1 over stdio',
  apart: 'SDK v1 over stdio, `isolation: caller`',
  kit: 'the kit',
} as const;

/** Everything that is tried with each client and each server. */
export const features = [
  'tools',
  'resources',
  'prompts',
  'completion',
  'progress',
  'cancel',
  'elicitation',
  'sampling',
  'roots',
  'list changed',
  'subscribe',
  'tasks',
] as const;

export type ClientName = keyof typeof clientNames;
export type ServerName = keyof typeof serverNames;
export type Feature = (typeof features)[number];

/** Something that cannot be, and why: the words of the documentation. */
interface Impossible {
  readonly feature: Feature;
  readonly client?: ClientName;
  readonly server?: ServerName;
  readonly why: string;
}

/** All that cannot be. */
export const impossible: readonly Impossible[] = [
  {
    feature: 'tasks',
    client: 'v1',
    why: 'the extension is of MCP 2026-07-28; an old client is answered when the call is done',
  },
  {
    feature: 'roots',
    server: 'stdio',
    why: 'an old server keeps the roots it is told for its whole process, which others use too: it is not told any',
  },
  {
    feature: 'list changed',
    server: 'apart',
    why: "what a caller's process changes is not what others are offered; the lists are those of a process of the gateway's own",
  },
  {
    feature: 'subscribe',
    server: 'apart',
    why: "a subscription would be to what the gateway's own process has; it is not offered",
  },
];

/** Why something cannot be; `undefined` when it has to work. */
export function whyNot(feature: Feature, client: ClientName, server: ServerName): string | undefined {
  return impossible.find(
    (one) => one.feature === feature && (one.client ?? client) === client && (one.server ?? server) === server,
  )?.why;
}

/** The matrix as the documentation has it: a row for each server, a column for each feature. */
export function matrixTable(): string {
  const notes = impossible.map(({ why }) => why);
  const cell = (feature: Feature, server: ServerName): string => {
    const clients = Object.keys(clientNames) as ClientName[];
    const reasons = clients.map((client) => whyNot(feature, client, server));
    const numbers = [...new Set(reasons.flatMap((why) => (why === undefined ? [] : [notes.indexOf(why) + 1])))];
    const works = reasons.every((why) => why !== undefined) ? '' : 'yes';
    return [works, ...numbers.map((number) => `[${number}]`)].filter((part) => part !== '').join(' ');
  };
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const servers = Object.entries(serverNames) as [ServerName, string][];
  return [
    row(['', ...features]),
    row(['---', ...features.map(() => '---')]),
    ...servers.map(([server, name]) => row([name, ...features.map((feature) => cell(feature, server))])),
    '',
    ...impossible.map(({ feature, client, server, why }, i) => {
      const where = [client && clientNames[client], server && serverNames[server]].filter(Boolean).join(', ');
      return `${i + 1}. ${feature}, ${where}: ${why}.`;
    }),
  ].join('\n');
}
