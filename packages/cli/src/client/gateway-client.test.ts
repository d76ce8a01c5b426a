import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createGatewayClient } from './gateway-client.ts';

const callId = '541a5e33-780b-4850-889b-391d48e1448d';
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** The error of a call that a gateway refuses with this body. */
async function refusedWith(status: number, error: object): Promise<unknown> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { ...error, trace_id: callId } }));
  }).listen(0, '127.0.0.1');
  stops.push(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createGatewayClient({ base: new URL(`http://127.0.0.1:${port}`), token: 'sp_x' });
  return client.call('payments.Refund', {}).catch((thrown: unknown) => thrown);
}

test('what a policy wants callers to know is told, and how its owner finds out the rest', async () => {
  const reasons = ['Refunds over 500 are for the finance desk.'];
  const error = await refusedWith(403, { reason: 'policy_denied', message: `No. ${reasons[0]}`, reasons });
  expect(error).toMatchObject({
    kind: 'refused',
    message: `No. ${reasons[0]}`,
    hint: `Who runs the gateway sees why: sallyport policy explain ${callId}`,
    facts: { reasons, traceId: callId },
  });
});

test('every refusal names the call, by which it is found on record', async () => {
  const error = await refusedWith(404, { reason: 'unknown_tool', message: 'Unknown tool.' });
  expect(error).toMatchObject({ kind: 'failure', hint: `trace ${callId}` });
});
