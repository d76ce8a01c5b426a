import type { JsonText, OutboundCredential } from '@sallyport/core';
import { isJsonObject } from '@sallyport/protocol';
import type { Conversation } from './conversation.ts';
import type { ServerFeed } from './feed.ts';
import { keepListening } from './listen.ts';
import type { Pool } from './pool.ts';
import type { Lease } from './pool-entry.ts';

/** The gateway's own conversation with a server, in which it asks what there is and hears what changes. */
export interface Held {
  /** The one that is held, or a new one. @throws as `Pool.lease` */
  conversation(signal: AbortSignal): Promise<Conversation>;
  readonly isOpen: boolean;
  letGo(): void;
  /** Lets go of it, and sees to it that the next one is begun anew. */
  discard(): void;
}

/** What holding a conversation needs. */
export interface HeldOptions {
  readonly pool: Pool;
  readonly credential: OutboundCredential;
  readonly server: ServerFeed;
  readonly take: (method: string, paramsText: JsonText) => void;
  /** Something may have been missed. */
  readonly onTrouble: () => void;
}

/** Belongs to no client: those are named by what has no space in it. */
const owner = ' of the gateway';

/** Holds one conversation at a time. */
export function createHeld({ pool, credential, server, take, onTrouble }: HeldOptions): Held {
  let open: Open | undefined;
  const letGo = (): void => {
    server.detach();
    open?.stop();
    open = undefined;
  };
  const discard = (): void => {
    open?.lease.discard();
    letGo();
  };
  return {
    async conversation(signal) {
      if (open) return open.lease.conversation;
      const capabilitiesText = '{}' as JsonText;
      const lease = await pool.lease({ era: 'modern', conversation: owner, capabilitiesText, credential, signal });
      open = holdConversation(lease, {
        credential,
        take,
        onLost() {
          discard();
          onTrouble();
        },
        onListening(isAgain) {
          if (isAgain) onTrouble();
        },
      });
      server.attach(lease.conversation);
      return lease.conversation;
    },
    get isOpen() {
      return open !== undefined;
    },
    letGo,
    discard,
  };
}

interface Open {
  readonly lease: Lease;
  stop(): void;
}

interface Holding {
  readonly credential: OutboundCredential;
  readonly take: (method: string, paramsText: JsonText) => void;
  readonly onLost: () => void;
  readonly onListening: (isAgain: boolean) => void;
}

/** Keeps a conversation open and hears what the server tells in it. */
function holdConversation(lease: Lease, { credential, take, onLost, onListening }: Holding): Open {
  const { conversation } = lease;
  const stopping = new AbortController();
  const stops = [conversation.onLost(onLost), conversation.onNotification(take)];
  const notifications = listenable(conversation);
  if (conversation.era === 'modern' && Object.keys(notifications).length > 0) {
    const { signal } = stopping;
    void keepListening({ conversation, credential, notifications, signal, onNotification: take, onListening });
  }
  return {
    lease,
    stop() {
      stopping.abort();
      for (const stop of stops) stop();
      lease.release();
    },
  };
}

function listenable({ server }: Conversation): Readonly<Record<string, boolean>> {
  const tells = (key: string): boolean => {
    const capability = server.capabilities[key];
    return isJsonObject(capability) && capability.listChanged === true;
  };
  return {
    ...(tells('tools') && { toolsListChanged: true }),
    ...(tells('prompts') && { promptsListChanged: true }),
    ...(tells('resources') && { resourcesListChanged: true }),
  };
}
