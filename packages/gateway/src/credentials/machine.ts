import type { OutboundCredential, Principal } from '@sallyport/core';
import { type Challenge, readChallenge } from './challenge.ts';
import { configuredClient, type ReadSecret } from './client.ts';
import { type Discovered, discover } from './discovery.ts';
import { createDpopKey, type DpopKey } from './dpop.ts';
import { asRefusal } from './failure.ts';
import type { TokenRequest, TokenSet } from './grants.ts';
import type { OauthFetch } from './http.ts';
import { requestMachineToken } from './machine-grants.ts';
import { type Renew, toOutbound, union } from './outbound.ts';
import type { MachineSettings } from './settings.ts';
import { createSingleFlight } from './single-flight.ts';
import type { UpstreamCredential } from './source.ts';
import { createTokenCache } from './token-cache.ts';

/** What credentials without anybody's consent are made of. */
export interface MachineOptions {
  readonly service: string;
  /** Of the upstream. */
  readonly address: string;
  readonly settings: MachineSettings;
  readonly fetch: OauthFetch;
  readonly readSecret: ReadSecret;
  readonly nowMs: () => number;
}

/** However much more an upstream wants, there is an end to what is asked for. */
const mostScopes = 100;

/**
 * Tokens that the gateway gets by itself: client credentials, token exchange, cross app access, workload identity. The first
 * request to an upstream goes without one, unless the issuer is configured: only its refusal says whose tokens it takes.
 */
export function createMachineCredential(options: MachineOptions): UpstreamCredential {
  const { service, address, settings, fetch, nowMs } = options;
  const tokens = createTokenCache({ nowMs });
  let known: Discovered | undefined;
  let scopes = settings.scopes;
  let dpop: DpopKey | undefined;

  const once = createSingleFlight<Discovered>();
  const learn = (challenge: Challenge): Promise<Discovered> =>
    once(JSON.stringify(challenge), () => learnAlone(challenge));
  const learnAlone = async (challenge: Challenge): Promise<Discovered> => {
    const { issuer, resource } = settings;
    known = await discover({ address, challenge, issuer, resource, fetch });
    scopes ??= challenge.scopes ?? known.scopes;
    const isBound = settings.dpop === 'always' || (settings.dpop === 'auto' && known.wantsDpop);
    if (isBound) dpop ??= await createDpopKey(nowMs);
    return known;
  };
  const outbound = async (principal: Principal | undefined, discovered: Discovered): Promise<OutboundCredential> => {
    const key = keyOf(settings, principal, scopes);
    const token = await tokens.get(key, () => ask(options, { discovered, scopes, dpop, principal }));
    return toOutbound(token, dpop, renewing(principal, { key, token }));
  };
  const renewing =
    (principal: Principal | undefined, shown?: { readonly key: string; readonly token: TokenSet }): Renew =>
    (refusal) =>
      asRefusal(service, async () => {
        const challenge = readChallenge(refusal.challenge);
        if (refusal.status === 403) {
          const wider = union(scopes, challenge.scopes);
          const isMore = wider.length > (scopes?.length ?? 0) && wider.length <= mostScopes;
          if (known === undefined || !isMore) return undefined;
          scopes = wider;
          return outbound(principal, known);
        }
        if (shown) tokens.drop(shown.key, shown.token);
        // The upstream may have moved to another authorization server.
        return outbound(principal, await learn(challenge));
      });
  const find = (principal: Principal | undefined): Promise<OutboundCredential> =>
    asRefusal(service, async () => {
      if (known) return outbound(principal, known);
      if (settings.issuer === undefined) return { kind: 'none', renew: renewing(principal) };
      return outbound(principal, await learn({ schemes: [] }));
    });
  return { forCall: ({ principal }) => find(principal), forItself: () => find(undefined) };
}

/** Tokens that speak for somebody are kept apart by whom they speak for. */
function keyOf(settings: MachineSettings, principal: Principal | undefined, scopes: readonly string[] = []): string {
  const isPersonal = 'subject' in settings && settings.subject.kind === 'signed';
  const { subject, tenant, actor, client } = (isPersonal && principal) || {};
  return JSON.stringify([scopes, subject ?? null, tenant ?? null, actor ?? null, client ?? null]);
}

interface Asked {
  readonly discovered: Discovered;
  readonly scopes: readonly string[] | undefined;
  readonly dpop: DpopKey | undefined;
  readonly principal: Principal | undefined;
}

async function ask(options: MachineOptions, { discovered, scopes, dpop, principal }: Asked): Promise<TokenSet> {
  const { settings, fetch, readSecret, nowMs } = options;
  const { server, resource } = discovered;
  const client = await configuredClient(settings.client, readSecret);
  const request: TokenRequest = { server, client, fetch, dpop, nowMs };
  return requestMachineToken({ request, settings, resource, scopes, principal, readSecret });
}
