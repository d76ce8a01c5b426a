import { GatewayError } from '@sallyport/core';
import {
  pingIntervalMs,
  readFrame,
  requestFrame,
  resultFrame,
  silentAfterMs,
  suspectedAfterMs,
} from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { HopLink } from './hop-link.ts';
import { createInvocations, type OnDecline, type OnInvoke } from './invocations.ts';
import type { Member } from './service-table.ts';

/** How often a peer is asked for a sign of life, and what its silence means. In milliseconds. */
export interface HopTiming {
  readonly proofMs?: number;
  readonly pingMs?: number;
  readonly suspectMs?: number;
  readonly silentMs?: number;
}

/** An announced instance, served: its calls, its own requests, and whether it lives. */
export interface HopPeer {
  readonly service: string;
  readonly instance: string;
  destroy(): void;
}

/** What serving a peer needs. */
export interface HopPeerOptions {
  readonly link: HopLink;
  readonly service: string;
  readonly instance: string;
  readonly member: Member;
  readonly onInvoke: OnInvoke;
  readonly onDecline?: OnDecline;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly timing?: HopTiming;
}

/** Takes over an authenticated, announced link until it is down. */
export function serveHopPeer(options: HopPeerOptions): HopPeer {
  const { link, service, instance, member, onInvoke, onDecline, log } = options;
  const invocations = createInvocations({
    service,
    instance,
    onInvoke,
    ...(onDecline && { onDecline }),
    send: link.send,
    inFlight: (callId) => member.calls()?.inFlight(callId),
  });
  const heartbeat = startHeartbeat(options);

  link.read((line) => {
    heartbeat.heard();
    const frame = readFrame(line);
    if (frame === undefined) {
      log.error({ service, instance }, 'it sent a line that is not a frame; the connection is cut');
      link.destroy();
    } else if (frame.kind === 'request') {
      if (frame.method === 'ping') link.send(resultFrame(frame.id, '{}'));
      else if (frame.method === 'invoke') invocations.start(frame.id, frame.params);
      else invocations.refuse(frame.id, new GatewayError('method_unknown'));
    } else if (frame.kind === 'notification' && frame.method === 'cancel') {
      invocations.cancel(frame.params);
    } else if (frame.kind !== 'notification' && typeof frame.id === 'string') {
      heartbeat.answered();
    } else {
      member.calls()?.receive(frame);
    }
  });
  link.onDown(() => {
    heartbeat.stop();
    member.leave();
    invocations.abortAll();
    log.info({ service, instance }, 'instance is gone');
  });
  return { service, instance, destroy: link.destroy };
}

interface Heartbeat {
  /** Any line came in. */
  heard(): void;
  /** A ping was answered. */
  answered(): void;
  stop(): void;
}

/**
 * Pings at an interval. No answer for a while makes the instance suspected; nothing heard for longer takes the link
 * down. A tick that comes much too late says something of this process, not of the peer, so it judges nobody.
 */
function startHeartbeat({ link, member, nowMs, log, service, instance, timing = {} }: HopPeerOptions): Heartbeat {
  const { pingMs = pingIntervalMs, suspectMs = suspectedAfterMs, silentMs = silentAfterMs } = timing;
  let lastTickMs = nowMs();
  let lastHeardMs = lastTickMs;
  let waitingSinceMs: number | undefined;
  let count = 0;

  const tick = (): void => {
    const now = nowMs();
    const late = now - lastTickMs > pingMs * 2;
    lastTickMs = now;
    if (late) {
      lastHeardMs = now;
      waitingSinceMs = undefined;
    }
    if (now - lastHeardMs >= silentMs) {
      log.error({ service, instance }, 'it was silent for too long; the connection is cut');
      link.destroy();
      return;
    }
    if (waitingSinceMs !== undefined && now - waitingSinceMs >= suspectMs) member.calls()?.suspect();
    waitingSinceMs ??= now;
    count += 1;
    link.send(requestFrame(`p${count}`, 'ping'));
  };
  const clock = setInterval(tick, pingMs);

  return {
    heard() {
      lastHeardMs = nowMs();
    },
    answered() {
      waitingSinceMs = undefined;
      member.calls()?.trust();
    },
    stop: () => clearInterval(clock),
  };
}
