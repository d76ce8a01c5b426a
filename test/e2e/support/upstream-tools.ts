import { setTimeout as sleep } from 'node:timers/promises';
import type { McpServer as FirstServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  ElicitResultSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { inputRequired, inputResponse, McpServer as SecondServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Ledger } from './upstream-ledger.ts';

/** What every tool for faults takes: what only this call knows, and how long it is to take. */
export const given = { nonce: z.string(), ms: z.number().optional() };

/** The form that is shown to the user. */
const form = {
  message: 'Sure?',
  requestedSchema: {
    type: 'object' as const,
    properties: { ok: { type: 'boolean' as const } },
    required: ['ok'],
  },
};

/** An answer of one text. */
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

/** Notes that it begins, and is done after a while, unless it is cancelled: then it notes that. */
export async function work(
  ledger: Ledger,
  { nonce, ms = 0 }: { nonce: string; ms?: number | undefined },
  signal: AbortSignal,
) {
  ledger.note(`done ${nonce}`);
  await sleep(ms, undefined, { signal }).catch(() => ledger.note(`cancelled ${nonce}`));
  return text(nonce);
}

/** `echo` answers what it was given; `ask` first asks the user; `stay` never answers. In the legacy era. */
export function addFirstTools(server: FirstServer, ledger: Ledger): void {
  server.registerTool('echo', { inputSchema: given }, (args, { signal }) => work(ledger, args, signal));
  server.registerTool('stay', { inputSchema: given }, (args, { signal }) =>
    work(ledger, { ...args, ms: 3_600_000 }, signal),
  );
  server.registerTool('ask', { inputSchema: given }, async ({ nonce, ms }, { sendRequest, signal }) => {
    const asking = { timeout: 3_600_000 };
    const answer = await sendRequest({ method: 'elicitation/create', params: form }, ElicitResultSchema, asking).catch(
      (error: unknown) => {
        ledger.note(`declined ${nonce}`);
        throw error;
      },
    );
    await work(ledger, { nonce, ms }, signal);
    return text(`${nonce} ${JSON.stringify(answer.content)}`);
  });
}

/** One resource that can be subscribed to; who does, and who does no longer, is noted. */
export function addFirstResource(server: FirstServer, ledger: Ledger): void {
  server.registerResource('one', 'note://one', {}, ({ href }) => ({ contents: [{ uri: href, text: '1' }] }));
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    ledger.note(`subscribed ${params.uri}`);
    return {};
  });
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    ledger.note(`unsubscribed ${params.uri}`);
    return {};
  });
}

/** The same in the modern era: what `ask` has to know again stands in its `requestState`. */
export function createSecondServer(ledger: Ledger): SecondServer {
  const server = new SecondServer(
    { name: 'second', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  );
  const inputSchema = z.object(given);
  server.registerTool('echo', { inputSchema }, (args, { mcpReq }) => work(ledger, args, mcpReq.signal));
  server.registerTool('stay', { inputSchema }, (args, { mcpReq }) =>
    work(ledger, { ...args, ms: 3_600_000 }, mcpReq.signal),
  );
  server.registerTool('ask', { inputSchema }, async ({ nonce }, { mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'form');
    if (answer.kind !== 'elicit') {
      return inputRequired({ inputRequests: { form: inputRequired.elicit(form) }, requestState: `asked ${nonce}` });
    }
    ledger.note(`done ${nonce}`);
    return text(`${nonce} ${JSON.stringify(answer.content)}`);
  });
  return server;
}
