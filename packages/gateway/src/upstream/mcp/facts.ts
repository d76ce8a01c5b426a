import { isJsonObject, type JsonValue, metaKeys, type ServerInfo } from '@sallyport/protocol';
import type { ServerAnswer, ServerFacts } from './conversation.ts';

/** Who a server says it is: everything it wrote, and both names in any case. */
export function readServerInfo(value: JsonValue | undefined): ServerInfo {
  const said = isJsonObject(value) ? value : {};
  const { name, version } = said;
  return {
    ...said,
    name: typeof name === 'string' ? name : 'unknown',
    version: typeof version === 'string' ? version : '0.0.0',
  };
}

/** Reads the answer to `server/discover`. `undefined`: the server does not speak this version. */
export function readDiscovery(answer: ServerAnswer, version: string): ServerFacts | undefined {
  if (answer.kind === 'error') return undefined;
  const { supportedVersions, capabilities, instructions, _meta } = answer.value;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(version)) return undefined;
  return {
    info: readServerInfo(isJsonObject(_meta) ? _meta[metaKeys.serverInfo] : undefined),
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' && { instructions }),
  };
}
