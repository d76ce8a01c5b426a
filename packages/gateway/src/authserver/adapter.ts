import type { JsonObject } from '@sallyport/protocol';
import { recordId } from './ids.ts';
import type { Records, SealedRecord } from './records.ts';

/** What `oidc-provider` asks of a place to keep things (its adapter). Times are in seconds. */
export interface Adapter {
  upsert(id: string, payload: JsonObject, expiresIn?: number): Promise<void>;
  find(id: string): Promise<JsonObject | undefined>;
  findByUid(uid: string): Promise<JsonObject | undefined>;
  findByUserCode(userCode: string): Promise<JsonObject | undefined>;
  consume(id: string): Promise<void>;
  destroy(id: string): Promise<void>;
  revokeByGrantId(grantId: string): Promise<void>;
}

/** What an adapter cannot do by itself. */
export interface AdapterOptions {
  /** Makes the error for something that was used before. */
  readonly alreadyUsed: () => Error;
  /** Ends the access tokens that were given out under a grant. */
  readonly endTokens: (grant: string) => Promise<void>;
  /** Makes the error for more clients than there may be. */
  readonly tooManyClients: () => Error;
  /** So many clients that registered themselves are kept. Default 5,000. */
  readonly mostClients?: number;
}

interface ToKeep {
  readonly model: string;
  readonly id: string;
  readonly payload: JsonObject;
  readonly expiresIn: number | undefined;
}

/** Sealed texts that only their row ends. */
const never = Number.MAX_SAFE_INTEGER;
/** A client that registered itself and was not used goes after this long. */
export const unusedClientLifeMs = 24 * 3_600_000;
const usualMostClients = 5_000;

/**
 * Keeps what the authorization server has to remember in the state database: found by hashes of ids, since an id is the token
 * itself, and sealed, bound to its own row. Whatever may be used once is used once by one of all gateways that share the store;
 * who comes second ends the grant.
 */
export function createAdapter({ store, sealer, idKey, nowMs }: Records, options: AdapterOptions) {
  const { mostClients = usualMostClients } = options;
  /** The unused one that has waited longest gives way: who only registers keeps nobody else from it. */
  const makeRoom = async (): Promise<void> => {
    if ((await store.count('Client')) < mostClients) return;
    const isRoom = await store.removeFirstToEnd('Client', nowMs() + unusedClientLifeMs);
    if (!isRoom) throw options.tooManyClients();
  };
  const grantName = (grantId: string): string => recordId(idKey, 'Grant', grantId);
  const opened = (record: SealedRecord | undefined): JsonObject | undefined => {
    if (record === undefined || (record.expiresAtMs ?? never) <= nowMs()) return undefined;
    const payload = sealer.open(`oauth ${record.model} ${record.id}`, record.payload);
    if (payload === undefined || record.consumedAtMs === undefined) return payload;
    return { ...payload, consumed: Math.floor(record.consumedAtMs / 1000) };
  };
  const toRecord = ({ model, id, payload, expiresIn }: ToKeep): SealedRecord => {
    const name = recordId(idKey, model, id);
    const { grantId, uid } = payload;
    const lifeMs = model === 'Client' ? unusedClientLifeMs : expiresIn === undefined ? undefined : expiresIn * 1000;
    return {
      model,
      id: name,
      payload: sealer.seal(`oauth ${model} ${name}`, payload, never),
      ...(typeof grantId === 'string' && { grantId: grantName(grantId) }),
      ...(typeof uid === 'string' && { uid: recordId(idKey, `${model} uid`, uid) }),
      ...(lifeMs !== undefined && { expiresAtMs: nowMs() + lifeMs }),
    };
  };

  return (model: string): Adapter => {
    const nameOf = (id: string): string => recordId(idKey, model, id);
    return {
      async upsert(id, payload, expiresIn) {
        const record = toRecord({ model, id, payload, expiresIn });
        if (model === 'Client') await makeRoom();
        if (model !== 'ReplayDetection') await store.put(record);
        else if (!(await store.add(record))) throw options.alreadyUsed();
      },
      find: async (id) => opened(await store.find(model, nameOf(id))),
      findByUid: async (uid) => opened(await store.findByUid(model, recordId(idKey, `${model} uid`, uid))),
      findByUserCode: async () => undefined,
      async consume(id) {
        const name = nameOf(id);
        if (await store.consume(model, name, nowMs())) return;
        const grantId = (await store.find(model, name))?.grantId;
        if (grantId !== undefined) {
          await store.removeByGrant(grantId);
          await store.remove('Grant', grantId);
          await options.endTokens(grantId);
        }
        throw options.alreadyUsed();
      },
      async destroy(id) {
        await store.remove(model, nameOf(id));
        if (model === 'Grant') await options.endTokens(nameOf(id));
      },
      revokeByGrantId: async (grantId) => void (await store.removeByGrant(grantName(grantId))),
    };
  };
}
