import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { Driver, Listable, Seen } from './driver.ts';

/**
 * A way into a mount of one service, seen as if it were a way into everything: names go in and come out as they are where
 * everything is offered (`service.name`, `service+uri`), and travel as the service's own. Names of anything else travel as
 * they are: at a mount there is no such thing.
 */
export function mounted(driver: Driver, service: string): Driver {
  return {
    ...driver,
    list: async (what = 'tools') => withResult(await driver.list(what), (names) => fullNames(service, what, names)),
    call: (tool, args, options) => driver.call(own(tool, `${service}.`), args, options),
    ask: async (method, params = {}, options) =>
      withResult(await driver.ask(method, ownParams(service, params), options), (result) => fullUris(service, result)),
  };
}

function withResult(seen: Seen, change: (result: JsonValue) => JsonValue): Seen {
  return seen.kind === 'answered' && seen.result !== undefined ? { ...seen, result: change(seen.result) } : seen;
}

function own(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function ownParams(service: string, params: JsonObject): JsonObject {
  const { name, uri, ref } = params;
  return {
    ...params,
    ...(typeof name === 'string' && { name: own(name, `${service}.`) }),
    ...(typeof uri === 'string' && { uri: own(uri, `${service}+`) }),
    ...(isJsonObject(ref) && { ref: ownParams(service, ref) }),
  };
}

function fullNames(service: string, what: Listable, names: JsonValue): JsonValue {
  const between = what === 'tools' || what === 'prompts' ? '.' : '+';
  return Array.isArray(names) ? names.map((name) => `${service}${between}${String(name)}`) : names;
}

/** Members called `uri` name resources, wherever they are. */
function fullUris(service: string, value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => fullUris(service, item));
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => [
    key,
    key === 'uri' && typeof member === 'string' ? `${service}+${member}` : fullUris(service, member),
  ]);
  return Object.fromEntries(entries) as JsonObject;
}
