import {
  type Code,
  GatewayError,
  type JsonText,
  type Presented,
  type Progress,
  type Tool,
  toolCall,
} from '@sallyport/core';
import { type Envelope, type JsonObject, type JsonValue, parseStrict } from '@sallyport/protocol';
import { callResult } from './call-result.ts';
import type { TransportDeps } from './deps.ts';
import { unreadable } from './mcp-read.ts';
import { type Reception, toCall } from './reception.ts';
import { readToolResult } from './tool-result.ts';

/** Whose call it is: a token like any caller's, or what the program that embeds the gateway vouches for. */
export type EmbeddedCaller =
  | { readonly token: string; readonly presented?: never }
  | { readonly presented: Presented; readonly token?: never };

/** A tool call made inside the process. */
export type EmbeddedCall = EmbeddedCaller & {
  readonly tool: string;
  readonly input?: JsonObject;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly traceparent?: string;
  readonly onProgress?: (progress: Progress) => void;
};

/** What a tool answered. */
export interface EmbeddedResult {
  /** The structured content, else the text, else the content blocks. */
  readonly result: JsonValue;
  /** The tool itself reported failure: then `result` is its message. */
  readonly isError: boolean;
  /** What kind of failure. */
  readonly code?: Code;
  /** The call waits for somebody: what to ask about it by. */
  readonly question?: string;
  readonly traceId: string;
}

/** The gateway as a function. It takes the same path as every other transport. */
export interface Embedded {
  /** @throws GatewayError when the call did not go through. */
  call(call: EmbeddedCall): Promise<EmbeddedResult>;
  /** The tools this caller may call. @throws GatewayError */
  listTools(caller: EmbeddedCaller): Promise<readonly Tool[]>;
}

const neverFires = new AbortController().signal;

/** Makes the face for programs that run the gateway inside themselves. */
export function createEmbedded(deps: TransportDeps): Embedded {
  const receive = (
    caller: EmbeddedCaller & { signal?: AbortSignal; traceparent?: string },
    bytes: number,
  ): Reception => ({
    callId: deps.newCallId(),
    presented: caller.token === undefined ? caller.presented : { kind: 'bearer', token: caller.token },
    origin: { transport: 'embedded', peer: 'local', era: 'none' },
    signal: caller.signal ?? neverFires,
    receivedBytes: bytes,
    traceparent: caller.traceparent,
  });

  return {
    call: async (call) => {
      const text = writeInput(call.input);
      const reception = receive(call, Buffer.byteLength(text));
      const argumentsText = readInput(text, deps.maxRequestBytes);
      if (argumentsText instanceof GatewayError) {
        throw (await deps.pipeline.decline(toCall(deps, reception, { verb: 'unreadable', error: argumentsText })))
          .error;
      }
      const outcome = await deps.pipeline.invoke(
        toCall(deps, reception, {
          ...toolCall(call.tool, argumentsText),
          ...(call.timeoutMs !== undefined && { timeoutMs: call.timeoutMs }),
          ...(call.onProgress && { onProgress: call.onProgress }),
        }),
      );
      if (outcome.kind === 'refused') throw outcome.error;
      const { text: resultText, code, message } = readToolResult(callResult(outcome));
      const isError = code !== undefined;
      return {
        result: isError ? message : JSON.parse(resultText),
        isError,
        ...(code !== undefined && { code }),
        ...(outcome.kind === 'suspended' && { code: 'failed_precondition' as const, question: outcome.question }),
        traceId: reception.callId,
      };
    },
    listTools: async (caller) => {
      const tools: Tool[] = [];
      let cursor: string | undefined;
      do {
        const page = { verb: 'list', capability: 'tool', limit: deps.pageSize, ...(cursor && { cursor }) } as const;
        const outcome = await deps.pipeline.list(toCall(deps, receive(caller, 0), page));
        if (outcome.kind === 'refused') throw outcome.error;
        if (outcome.kind === 'suspended') throw new GatewayError('internal');
        tools.push(...(outcome.content.targets as readonly Tool[]));
        cursor = outcome.content.nextCursor;
      } while (cursor !== undefined);
      return tools;
    },
  };
}

/** What is no JSON (a bigint, a circle) becomes no JSON, to be refused and recorded like what comes from outside. */
function writeInput(input: JsonObject = {}): string {
  try {
    return JSON.stringify(input);
  } catch {
    return '';
  }
}

const noEnvelope: Envelope = { members: [], inside: '', inner: [] };

/** The same rules as for text from outside: what this process hands over may come from there too. */
function readInput(text: string, maxBytes: number): JsonText | GatewayError {
  if (Buffer.byteLength(text) > maxBytes) return new GatewayError('payload_too_large');
  try {
    parseStrict(text, { envelope: noEnvelope });
    return text as JsonText;
  } catch (thrown) {
    return unreadable(thrown);
  }
}
