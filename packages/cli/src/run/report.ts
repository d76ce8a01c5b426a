import type { ServiceStatus } from '@sallyport/core';
import { clientSettings, type Endpoint, tokenVariable } from '../client-settings.ts';
import type { Style } from '../terminal/style.ts';
import { table } from '../terminal/table.ts';

/** What is true once everything answers. */
export interface Ready extends Endpoint {
  readonly adminUrl: string | undefined;
  readonly services: readonly ServiceStatus[];
  /** Number of tools per service. */
  readonly tools: ReadonlyMap<string, number>;
}

/** The one line of `run --json`. */
export function readyLine({ mcpUrl, adminUrl, token, services }: Ready): Readonly<Record<string, unknown>> {
  return {
    event: 'ready',
    mcp: mcpUrl,
    ...(adminUrl !== undefined && { admin: adminUrl }),
    token,
    services: services.map(({ name, version, instances, state }) => ({ name, version, instances, state })),
  };
}

/** What a person sees when everything answers: what runs, where, and how to connect a client. */
export function readyText(ready: Ready, style: Style): string {
  const label = (text: string) => style.dim(text.padEnd(7));
  return [
    '',
    serviceTable(ready, style),
    '',
    `${label('MCP')}${style.bold(ready.mcpUrl)}`,
    ...(ready.adminUrl === undefined ? [] : [`${label('Admin')}${ready.adminUrl}`]),
    `${label('Token')}${style.bold(ready.token)}`,
    `${label('')}${style.dim('an agent token with the scopes of these services; it ends when this program ends')}`,
    '',
    `${style.bold('Try it')} ${style.dim('(another terminal)')}`,
    indent(`export SALLYPORT_URL=${ready.mcpUrl} ${tokenVariable}=${ready.token}`),
    indent(`curl -s "\${SALLYPORT_URL}/tools" -H "Authorization: Bearer $${tokenVariable}"`),
    '',
    style.bold('Connect a client'),
    ...clientSettings(ready).map((settings) => settingsText(settings, style)),
    '',
  ].join('\n');
}

function serviceTable({ services, tools }: Ready, style: Style): string {
  const rows = services.map(({ name, version, instances, owner, state }) => [
    `${state === 'ready' ? style.green('●') : style.yellow('●')} ${name}`,
    version,
    String(tools.get(name) ?? 0),
    String(instances),
    owner,
  ]);
  return table(['  service', 'version', 'tools', 'instances', 'owner'], rows, style.dim);
}

function settingsText(
  { client, file, json, holdsToken }: ReturnType<typeof clientSettings>[number],
  style: Style,
): string {
  const note = holdsToken ? style.dim(' (holds the token: paste it again after a restart)') : '';
  return `  ${style.cyan(client)} ${style.dim(file)}${note}\n${indent(JSON.stringify(json))}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
