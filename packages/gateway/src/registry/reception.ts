import type { Socket } from 'node:net';
import type { HopCredential } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { type Announcement, readAnnouncement, type Verdict } from './announcement.ts';
import { createHopLink, type HopLink } from './hop-link.ts';
import type { Channel } from './hop-listener.ts';
import type { HopTiming } from './hop-peer.ts';
import { demandProof, limitProof } from './proof.ts';

/** A service that has proved itself and announced what it offers. */
export interface Arrival extends Announcement {
  readonly credential: HopCredential;
  readonly link: HopLink;
  /** Whether the credential is still good. */
  readonly isGood: () => boolean;
  /** When it ends by itself. */
  readonly endsAtMs?: number;
}

/** What receiving connections needs. */
export interface ReceptionOptions {
  readonly find: (id: string) => HopCredential | undefined;
  /** Asked about an announcement before the service hears that it was accepted. */
  readonly judge: (announcement: Announcement) => Verdict;
  readonly onArrival: (arrival: Arrival) => void;
  readonly log: Logger;
  readonly timing: HopTiming;
  /** How many connections may be under way to announcing themselves; more are closed at once. */
  readonly maxStrangers: number;
}

/** Receives connections until they have announced themselves. */
export interface Reception {
  receive(socket: Socket, channel?: Channel): void;
  close(): void;
}

/**
 * Takes connections from strangers. Until one has proved that it holds a credential, and announced what that credential
 * covers, it gets two seconds, short lines and one of a bounded number of places.
 */
export function createReception(options: ReceptionOptions): Reception {
  const { find, judge, onArrival, log, timing, maxStrangers } = options;
  const strangers = new Set<HopLink>();

  return {
    receive(socket, channel) {
      if (strangers.size >= maxStrangers) {
        socket.destroy();
        return;
      }
      const link = createHopLink(socket, (err) =>
        log.error({ err }, 'a line could not be taken; the connection is cut'),
      );
      strangers.add(link);
      link.onDown(() => strangers.delete(link));
      const release = limitProof(link, timing);
      const findHere = channel === undefined ? find : (id: string) => channel.find(id);
      demandProof(link, findHere, (credential) => {
        const isGood = (): boolean => findHere(credential.id)?.key === credential.key;
        readAnnouncement(link, {
          service: credential.service,
          // It may have been taken back between the proof and this.
          judge: (announcement) => (isGood() ? judge(announcement) : { refuse: 'the credential is not good any more' }),
          onRefused: (message) => log.error({ service: credential.service, credential: credential.id }, message),
          onAnnounced: (announcement) => {
            release();
            strangers.delete(link);
            const { endsAtMs } = channel ?? {};
            onArrival({ ...announcement, credential, link, isGood, ...(endsAtMs !== undefined && { endsAtMs }) });
          },
        });
      });
    },
    close() {
      for (const link of [...strangers]) link.destroy();
    },
  };
}
