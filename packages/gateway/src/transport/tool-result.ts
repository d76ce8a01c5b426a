import { type Code, reasons } from '@sallyport/core';
import { isJsonObject, type JsonValue, membersOf, memberText, metaKeys } from '@sallyport/protocol';

/** A `CallToolResult` as callers without MCP read it. */
export interface ToolResult {
  /** What the tool answered, as JSON text: its structured content, else its text, else its content blocks. */
  readonly text: string;
  /** Present when the tool reported failure. */
  readonly code?: Code;
  /** The first text, for people; empty if there is none. */
  readonly message: string;
}

const codes: ReadonlySet<string> = new Set<Code>([
  ...Object.values(reasons).map(({ code }) => code),
  ...(['out_of_range', 'data_loss', 'already_exists', 'failed_precondition'] as const),
]);

/** Reads a result from its text. The structured content is passed on as it was written. */
export function readToolResult(resultText: string): ToolResult {
  const result = JSON.parse(resultText) as JsonValue;
  if (!isJsonObject(result)) return { text: resultText, message: '', code: 'unknown' };
  const message = firstText(result.content);
  if (result.isError === true) return { text: resultText, message, code: errorCode(result._meta) };
  const members = membersOf(resultText);
  const structured = memberText(resultText, members, 'structuredContent');
  if (structured !== undefined) return { text: structured, message };
  return { text: plainText(result.content) ?? memberText(resultText, members, 'content') ?? 'null', message };
}

function errorCode(meta: JsonValue | undefined): Code {
  const error = isJsonObject(meta) ? meta[metaKeys.error] : undefined;
  const code = isJsonObject(error) ? error.code : undefined;
  return typeof code === 'string' && codes.has(code) ? (code as Code) : 'unknown';
}

/** A single text block stands for what it says: JSON if it is JSON, else a string. */
function plainText(content: JsonValue | undefined): string | undefined {
  if (!Array.isArray(content) || content.length !== 1) return undefined;
  const [block] = content as readonly JsonValue[];
  const text = isJsonObject(block) && block.type === 'text' ? block.text : undefined;
  if (typeof text !== 'string') return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

function firstText(content: JsonValue | undefined): string {
  if (!Array.isArray(content)) return '';
  for (const block of content as readonly JsonValue[]) {
    if (isJsonObject(block) && typeof block.text === 'string') return block.text;
  }
  return '';
}
