import {
  type Answer,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  type Registration,
  type Registry,
  spendPermit,
  type Upstream,
} from '@sallyport/core';
import type { JsonValue, ServiceManifest } from '@sallyport/protocol';

/** What arrived at a service. */
export interface Arrival {
  readonly permit: Permit;
  readonly hop: Hop;
}

/** A service in this process that shows what arrived. */
export interface FakeService extends Registration {
  readonly arrivals: readonly Arrival[];
}

/** Makes a service that answers every tool with what `answer` returns, and fails when that throws. */
export function fakeService(
  manifest: ServiceManifest,
  answer: (arrival: Arrival) => JsonValue = () => ({}),
): FakeService {
  const arrivals: Arrival[] = [];
  const upstream: Upstream = {
    describe: () => ({ service: manifest.service, kind: 'fake' }),
    async open(permit, hop): Promise<Answer> {
      if (hop.signal.aborted) throw new GatewayError('cancelled');
      spendPermit(permit);
      hop.sent();
      arrivals.push({ permit, hop });
      return { text: resultText(run(answer, { permit, hop })), isError: false, instance: 'fake' };
    },
    close: async () => undefined,
  };
  return { manifest, instances: 1, state: 'ready', upstream, arrivals };
}

function run(answer: (arrival: Arrival) => JsonValue, arrival: Arrival): JsonValue {
  try {
    return answer(arrival);
  } catch (cause) {
    throw new GatewayError('upstream_failed', {}, { cause });
  }
}

function resultText(output: JsonValue): JsonText {
  const text = JSON.stringify(output);
  return JSON.stringify({ content: [{ type: 'text', text }], structuredContent: output }) as JsonText;
}

/** A registry whose content a test decides. */
export interface FakeRegistry extends Registry {
  /** Replaces all registrations and tells the listeners. */
  set(registrations: readonly Registration[]): void;
}

/** Makes a registry of these services. */
export function fakeRegistry(registrations: readonly Registration[] = []): FakeRegistry {
  const listeners = new Set<() => void>();
  let current = registrations;
  return {
    registrations: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settling: false,
    set(next) {
      current = next;
      for (const listener of listeners) listener();
    },
    close: async () => undefined,
  };
}
