/** What the settings of every client are made from. */
export interface Endpoint {
  /** The gateway's `/mcp` URL. */
  readonly mcpUrl: string;
  readonly token: string;
  /** The command that bridges stdio to the gateway: absolute paths, because hosts start it from anywhere. */
  readonly bridge: readonly string[];
}

/** Settings for one client, ready to paste. */
export interface ClientSettings {
  readonly client: string;
  /** The file it belongs into, as the client's documentation names it. */
  readonly file: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Whether the token itself is in it, because this client expands no variables. */
  readonly holdsToken: boolean;
}

const name = 'sallyport';
/** The variable that clients read the token from, where they can. */
export const tokenVariable = 'SALLYPORT_TOKEN';

/**
 * Settings for the clients people use most. Where a client can read the token from its environment or ask for it, the
 * settings hold no secret and stay right over restarts.
 */
export function clientSettings({ mcpUrl, token, bridge }: Endpoint): readonly ClientSettings[] {
  const [command = '', ...args] = bridge;
  const remote = (bearer: string) => ({ type: 'http', url: mcpUrl, headers: { Authorization: `Bearer ${bearer}` } });
  return [
    {
      client: 'Claude Code',
      file: '.mcp.json',
      json: { mcpServers: { [name]: remote(`\${${tokenVariable}}`) } },
      holdsToken: false,
    },
    {
      client: 'VS Code',
      file: '.vscode/mcp.json',
      json: {
        inputs: [{ type: 'promptString', id: 'sallyport-token', description: 'Sallyport token', password: true }],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own placeholder.
        servers: { [name]: remote('${input:sallyport-token}') },
      },
      holdsToken: false,
    },
    {
      client: 'Cursor',
      file: '.cursor/mcp.json',
      json: {
        mcpServers: { [name]: { url: mcpUrl, headers: { Authorization: `Bearer \${env:${tokenVariable}}` } } },
      },
      holdsToken: false,
    },
    {
      client: 'Claude Desktop and other stdio hosts',
      file: 'claude_desktop_config.json',
      json: { mcpServers: { [name]: { command, args, env: { SALLYPORT_URL: mcpUrl, [tokenVariable]: token } } } },
      holdsToken: true,
    },
  ];
}
