import { randomUUID } from 'node:crypto';
import type { ServerContext } from '@modelcontextprotocol/server';
import type { HopRetry, JsonObject } from '@sallyport/protocol';

interface Asked {
  readonly inputRequests: Readonly<Record<string, { readonly method: string; readonly params: JsonObject }>>;
  readonly requestState: string;
}

/** As long as a call waits for its caller. */
const answerTimeoutMs = 10 * 60_000;

/**
 * Asks a client of the old era what a call asked, as requests of the server's own. A question that is not answered is
 * answered for: a form as cancelled; anything else is left out, and then the call ends with its time.
 */
export async function askClient(resultText: string, { mcpReq }: ServerContext): Promise<HopRetry> {
  const { inputRequests, requestState } = JSON.parse(resultText) as Asked;
  const options = { timeout: answerTimeoutMs, signal: mcpReq.signal };
  const answers = await Promise.all(
    Object.entries(inputRequests).map(async ([key, request]): Promise<[string, JsonObject]> => {
      const { method } = request;
      const params = withElicitationId(request.params);
      try {
        // The kit asks these three and nothing else.
        const sent = { method: method as 'elicitation/create', params: params as never };
        return [key, (await mcpReq.send(sent, options)) as JsonObject];
      } catch (error) {
        if (mcpReq.signal.aborted || method !== 'elicitation/create') throw error;
        return [key, { action: 'cancel' }];
      }
    }),
  );
  return { requestState, inputResponses: Object.fromEntries(answers) };
}

/** The old era names each visit to a page (2025-11-25, elicitation). */
function withElicitationId(params: JsonObject): JsonObject {
  return params.mode === 'url' ? { ...params, elicitationId: randomUUID() } : params;
}
