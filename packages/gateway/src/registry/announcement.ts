import { errorFrame, type HopId, readFrame, resultFrame, type ServiceManifest } from '@sallyport/protocol';
import type { HopLink } from './hop-link.ts';
import { checkManifest } from './manifest.ts';

/** What an instance said of itself, checked. */
export interface Announcement {
  readonly instance: string;
  readonly manifest: ServiceManifest;
}

/** What a registry makes of an announcement: text refuses it, and is told to the service. */
export type Verdict = { readonly refuse: string } | undefined;

/** Whoever waits for an announcement. */
export interface AnnouncementReader {
  /** The service that the peer proved it may speak for. */
  readonly service: string;
  /** Asked before the service is told that it was accepted. */
  readonly judge?: (announcement: Announcement) => Verdict;
  /** Runs in the same turn as the announcement is read, after it was accepted. */
  readonly onAnnounced: (announcement: Announcement) => void;
  readonly onRefused: (message: string) => void;
}

const instancePattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;

/** Reads the one announcement that follows the proof. Anything else, or one that is refused, takes the link down. */
export function readAnnouncement(link: HopLink, { service, judge, onAnnounced, onRefused }: AnnouncementReader): void {
  link.read((line) => {
    const frame = readFrame(line);
    if (frame?.kind !== 'request' || frame.method !== 'announce') {
      onRefused('it did not announce itself');
      link.destroy();
      return;
    }
    const announcement = check(frame.params, service);
    const refusal = 'refuse' in announcement ? announcement : judge?.(announcement);
    if ('refuse' in announcement || refusal) {
      const message = refusal?.refuse ?? 'refused';
      onRefused(message);
      refuse(link, frame.id, message);
      return;
    }
    link.send(resultFrame(frame.id, '{}'));
    onAnnounced(announcement);
  });
}

function check(params: unknown, service: string): Announcement | { readonly refuse: string } {
  const { instance, manifest } = params && typeof params === 'object' ? (params as Record<string, unknown>) : {};
  if (typeof instance !== 'string' || !instancePattern.test(instance)) {
    return { refuse: 'instance: at most 100 letters, digits, _ . : -' };
  }
  const checked = checkManifest(manifest);
  if (!checked.ok) return { refuse: checked.message };
  if (checked.manifest.service !== service) {
    return { refuse: `the credential does not cover the service ${checked.manifest.service}, only ${service}` };
  }
  return { instance, manifest: checked.manifest };
}

function refuse(link: HopLink, id: HopId, message: string): void {
  link.send(errorFrame(id, { code: -32602, message }));
  link.end();
}
