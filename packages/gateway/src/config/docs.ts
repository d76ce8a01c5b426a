import type { SchemaNode } from '../text/schema-node.ts';
import { configJsonSchema } from './json-schema.ts';

const introduction = `<!-- Made from packages/gateway/src/config/schema.ts by packages/gateway/src/config/publish.ts. Do not edit. -->

# Configuration

One YAML file, \`sallyport.yaml\`. All keys are optional but \`version\`; a key that is not in this list is an error, and the
error names the nearest one that is. Nothing in the file is ever executed while it is read. Changes are picked up while the
gateway runs, all or nothing: a file with a mistake in it changes nothing, and the mistake is reported once.

Put this in the first line and editors complete and check the file:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/@sallyport/gateway/sallyport.schema.json
version: 1
services:
  posts: { command: [node, posts.ts], dependsOn: [users] }
  users: { command: [node, users.ts] }
tools:
  'posts.*': { limit: { rate: 5, burst: 10 } }
  '*.Delete': { scopes: [admin:delete], auditRequired: true }
\`\`\`

Values:

* **duration** \`500ms\` \`30s\` \`5m\` \`12h\` \`90d\`
* **size** a number of bytes, or \`64KiB\` \`4MiB\`
* **rate** \`{ rate: 50, burst: 100 }\` (calls per second on average, calls at once), or \`600/m\` (also \`/s\` \`/h\` \`/d\`): 600 at once, refilled evenly over a minute
* **path** relative to the folder of the file
* **secret** \`{ file: path }\`, a file (0600) with nothing else in it, or \`{ env: NAME }\`, a variable of the gateway's environment
* **pattern** a tool name with \`*\` for any run of characters: \`posts.*\`, \`*.Delete\`, \`posts.PostService.*\`
* **cidr** \`10.0.0.0/8\`, \`fd00::/8\`, or one address

| field | type | default | meaning |
|---|---|---|---|
`;

const rules = `
Rules across fields:

* A \`listen.host\` that other machines can reach needs \`listen.tls\`, or \`trustedProxies\` naming the proxy that does TLS.
  Authentication is always on; there is no key to switch it off.
* \`admin.host\` is this machine only, and its port is not that of \`listen\`.
* A service has one of \`command\`, \`stdio\` and \`address\`. \`cwd\` and \`env\` go with the first two, \`watch\` and \`instances\` with
  \`command\`, \`isolation\` and \`startTimeout\` with \`stdio\`, \`processes\` with \`isolation: caller\`; \`methods\` goes with MCP
  servers (\`stdio\` or a URL). A \`unix:\` or \`tls:\` address needs the path of a \`credential\` file; a URL takes a \`credential\` of
  some \`kind\`, with the keys of that kind ([credentials](credentials.md)). Named secrets in \`env\` go with \`stdio\`.
* A view shows something. \`auth.anonymous\` names views of the file.
* \`auth.certificates\` needs \`listen.tls.clientCa\` or \`auth.certificateProxies\`; \`clientAuth\` goes with \`clientCa\`.
* An issuer needs \`publicUrl\` or \`audiences\` where other machines can reach \`listen.host\`.
* \`dependsOn\` names services of the file and has no circles.
* Credential files, PEM files and working directories exist.
* Of several patterns that match a tool the later ones win, key by key (\`limit\` is one key).
`;

/** The text of \`docs/configuration.md\`. */
export function configurationPage(): string {
  const root = configJsonSchema();
  return `${introduction + rows(root, '').join('\n')}\n${rules}`;
}

function rows(node: SchemaNode, prefix: string): readonly string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    const required = node.required?.includes(key) ?? false;
    return [row(name, child, required), ...inside(name, child)];
  });
}

function inside(name: string, node: SchemaNode): readonly string[] {
  if (node.title !== undefined) return [];
  const branch = node.anyOf?.find(({ properties }) => properties);
  if (branch) return rows(branch, name);
  if (node.items?.properties) return rows(node.items, `${name}[]`);
  if (typeof node.additionalProperties === 'object' && node.additionalProperties.properties) {
    const placeholder = name === 'tools' ? '<pattern>' : '<name>';
    return rows(node.additionalProperties, `${name}.${placeholder}`);
  }
  return rows(node, name);
}

function row(name: string, node: SchemaNode, required: boolean): string {
  const cells = [`\`${name}\``, typeOf(node), defaultOf(node, required), node.description ?? ''];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function typeOf(node: SchemaNode): string {
  if (node.title !== undefined) return node.title;
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.anyOf) return node.anyOf.map((one) => (one.properties ? 'object' : typeOf(one))).join(' or ');
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(' or ');
  if (node.items) return node.items.properties ? 'list of objects' : `list of ${typeOf(node.items)}`;
  if (typeof node.additionalProperties === 'object') return `object by name`;
  return { string: 'text', integer: 'whole number', boolean: 'true or false' }[node.type ?? ''] ?? node.type ?? '';
}

function defaultOf(node: SchemaNode, required: boolean): string {
  if (node.default === undefined) return required ? '**required**' : '';
  if (typeof node.default === 'object' && node.properties) return '';
  const text = JSON.stringify(node.default);
  return text === '{}' || text === '[]' ? 'none' : `\`${text.replaceAll('"', '')}\``;
}
