import { isJsonObject, type JsonObject } from '@sallyport/protocol';
import type { Driver, Seen } from '@sallyport/testkit';
import type { Caller } from './lab.ts';
import { isMount, type Way, type World } from './world.ts';

/** A subscription that is open, or what came in its place. */
export interface Listening {
  /** What of the filter is listened to; `undefined` when it was refused. */
  readonly honored: JsonObject | undefined;
  /** The notifications so far, without the acknowledgement, as `method` and params. */
  readonly heard: readonly JsonObject[];
  /** How it ended, if it has. */
  readonly ended: () => Seen | undefined;
  /** Goes away. */
  leave(): Promise<Seen>;
}

/** Opens a subscription (MCP 2026-07-28, `subscriptions/listen`) and waits until it is acknowledged. */
export async function startListening(driver: Driver, notifications: JsonObject): Promise<Listening> {
  const leaving = new AbortController();
  const acknowledged = Promise.withResolvers<JsonObject | undefined>();
  const heard: JsonObject[] = [];
  let ended: Seen | undefined;
  const onMessage = (text: string): void => {
    const message = JSON.parse(text) as JsonObject;
    if (typeof message.method !== 'string') return;
    const params = isJsonObject(message.params) ? message.params : {};
    if (message.method !== 'notifications/subscriptions/acknowledged') heard.push({ method: message.method, params });
    else acknowledged.resolve(isJsonObject(params.notifications) ? params.notifications : {});
  };
  const done = driver.ask(
    'subscriptions/listen',
    { notifications },
    { onMessage, signal: leaving.signal, timeoutMs: 10_000 },
  );
  void done.then((seen) => {
    ended = seen;
    acknowledged.resolve(undefined);
  });
  const honored = await acknowledged.promise;
  return {
    ...{ honored, heard },
    ended: () => ended,
    leave: () => {
      leaving.abort();
      return done;
    },
  };
}

/** What of a filter a caller may listen to, named as where everything is offered. */
export async function listenedTo(
  world: World,
  who: { readonly way: Way; readonly caller: Caller },
  { resourceSubscriptions }: { readonly resourceSubscriptions: readonly string[] },
): Promise<readonly string[]> {
  const isOwn = isMount(who.way);
  const asked = resourceSubscriptions.map((uri) => (isOwn ? uri.replace('lab+', '') : uri));
  const listening = await startListening(world.driver(who.way, who.caller), { resourceSubscriptions: asked });
  await listening.leave();
  const uris = listening.honored?.resourceSubscriptions;
  return Array.isArray(uris) ? uris.map((uri) => (isOwn ? `lab+${String(uri)}` : String(uri))) : [];
}
