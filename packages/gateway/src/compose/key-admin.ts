import { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { AdminDeps } from '../admin/index.ts';
import { auditVerifierKey } from '../audit/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { adoptKey, placeText, prepareKey, readKeys, rotateMasterKey } from '../secrets/index.ts';
import type { Assertions } from './assertions.ts';
import { auditPlace } from './audit-place.ts';
import type { BuiltIn } from './authserver.ts';
import { auditKeys, keyPlaces } from './keys.ts';
import type { Stores } from './stores.ts';

/** What looks after keys leans on. */
export interface KeyAdminParts {
  readonly config: GatewayConfig;
  readonly stores: Pick<Stores, 'auditLog'>;
  readonly assertions: Pick<Assertions, 'keys'>;
  readonly builtIn: Pick<BuiltIn, 'signingKeys'> | undefined;
  readonly nowMs: () => number;
}

/** Looks after the keys of a gateway that runs. */
export function createKeyAdmin(parts: KeyAdminParts): AdminDeps['keys'] {
  const { config, stores, assertions, builtIn, nowMs } = parts;
  const places = keyPlaces(config);
  const auditPath = auditPlace(config);

  const rotateAuditSigning = async (): Promise<JsonObject> => {
    const previous = await auditVerifierKey(auditPath, auditKeys(readKeys(places)));
    // The new one is kept before the log hands over to it, and the old one until that is on the disk.
    const next = prepareKey(places, 'audit-signing', nowMs()).next('audit-signing');
    if (next === undefined) throw new GatewayError('internal');
    await stores.auditLog.handOver(next.export());
    const keys = adoptKey(places, 'audit-signing');
    return { key: 'audit-signing', previous, next: await auditVerifierKey(auditPath, auditKeys(keys)) };
  };
  const rotateSignIn = async (): Promise<JsonObject> => {
    const keys = builtIn?.signingKeys();
    if (keys === undefined) throw impossible('there is no authorization server here: auth.server is not configured');
    await keys.rotate();
    const [signs] = await keys.facts();
    return { key: 'sign-in', next: signs?.kid ?? '' };
  };
  const rotations = {
    'audit-signing': rotateAuditSigning,
    'sign-in': rotateSignIn,
    assertion: async ({ now }: { readonly now: boolean }) => {
      await assertions.keys.rotate({ now });
      const [newest] = await assertions.keys.facts();
      return { key: 'assertion', next: newest?.kid ?? '', signs: newest?.state === 'signs' };
    },
    master: async () => {
      const { master } = places;
      if (master.file === undefined)
        throw impossible(`the master key is in ${placeText(master)}: it is rotated on the spot`);
      const previous = readKeys(places).masterId;
      return { key: 'master', previous, next: rotateMasterKey(places).masterId };
    },
  };
  return {
    list: () => listKeys(parts),
    rotate: (key, options) => rotations[key](options),
  };
}

async function listKeys({ config, assertions, builtIn }: KeyAdminParts): Promise<readonly JsonObject[]> {
  const places = keyPlaces(config);
  const keys = readKeys(places);
  const auditPath = auditPlace(config);
  const verifier = await auditVerifierKey(auditPath, auditKeys(keys));
  return [
    { key: 'master', id: keys.masterId, place: placeText(places.master) },
    ...keys.facts.map(({ purpose, madeMs, nextMadeMs }) => ({
      key: purpose,
      ...(purpose === 'audit-signing' && { id: verifier }),
      ...(madeMs !== undefined && { madeAt: timeOf(madeMs) }),
      ...(nextMadeMs !== undefined && { nextMadeAt: timeOf(nextMadeMs) }),
    })),
    ...(await assertions.keys.facts()).map(({ kid, createdAtMs, state }) => ({
      ...{ key: 'assertion', id: kid, madeAt: timeOf(createdAtMs), state },
    })),
    ...((await builtIn?.signingKeys()?.facts()) ?? []).map(({ kid, createdAtMs }, index) => ({
      ...{ key: 'sign-in', id: kid, madeAt: timeOf(createdAtMs), state: index === 0 ? 'signs' : 'published' },
    })),
  ];
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function impossible(why: string): GatewayError {
  return new GatewayError('invalid_input', { issues: [why] });
}
