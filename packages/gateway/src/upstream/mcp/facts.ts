import { isJsonObject, type JsonValue, type ServerInfo } from '@sallyport/protocol';

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
