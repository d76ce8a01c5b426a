import { callers } from './lab.ts';
import { startListening } from './listening.ts';
import { isMount, type Rules, type Way, type World } from './world.ts';

const topic = { kind: 'resource', uri: 'note://Scoped' } as const;
const wide = { ...callers.alice, scopes: ['lab:read', 'lab:write'] };

/** What may change while somebody listens, and whether what happens then is told. */
const turns: readonly (readonly [isTold: boolean, rules: Partial<Rules>])[] = [
  [true, {}],
  [false, { hidden: ['Scoped'] }],
  [true, {}],
  [false, { contained: ['Scoped'] }],
  [false, { fates: { alice: callers.alice } }],
  [true, { hidden: ['Echo'] }],
];

/**
 * Law 3 for what is told: of a resource its listener is told for as long as it could be asked for, and not any more when it
 * is hidden, contained or out of scope; when the credential ends, so does the subscription.
 */
export async function toldWhileKnown(world: World, way: Way): Promise<readonly string[]> {
  const violations: string[] = [];
  world.become({ fates: { alice: wide } });
  const uri = isMount(way) ? topic.uri : `lab+${topic.uri}`;
  const listening = await startListening(world.driver(way, 'alice'), { resourceSubscriptions: [uri] });
  for (const [at, [isTold, rules]] of turns.entries()) {
    world.become({ fates: { alice: wide }, ...rules });
    const before = listening.heard.length;
    world.tell(topic, { uri: topic.uri });
    await soon(isTold ? () => listening.heard.length > before : undefined);
    if (listening.heard.length > before !== isTold)
      violations.push(`turn ${at} over ${way}: ${isTold ? 'not ' : ''}told`);
  }
  world.become({ fates: { alice: 'credential_revoked' } });
  world.tell(topic, { uri: topic.uri });
  await soon(() => listening.ended() !== undefined);
  if (listening.ended() === undefined) violations.push(`over ${way} it goes on without a credential`);
  await listening.leave();
  world.become();
  if (world.watchers() > 0) violations.push(`${world.watchers()} resources are watched for nobody`);
  return violations;
}

/** Waits until something is so, a second at most. What is not to be so is looked at after a while. */
async function soon(isSo: (() => boolean) | undefined): Promise<void> {
  const turns = isSo === undefined ? 4 : 200;
  for (let turn = 0; turn < turns && isSo?.() !== true; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
}
