import { ProtocolError, type Server, type ServerContext } from '@modelcontextprotocol/server';
import {
  decodeHeaderValue,
  type HopMethod,
  type JsonObject,
  mcpHeaders,
  type ServiceManifest,
  tasksExtension,
} from '@sallyport/protocol';

const taskMethods = ['tasks/get', 'tasks/update', 'tasks/cancel'] as const;

/** Takes any object, and keeps all of it: the service checks what is in it. */
const anything = {
  '~standard': {
    version: 1,
    vendor: 'sallyport',
    validate: (value: unknown) => ({ value: value as JsonObject }),
  },
} as const;

/**
 * Answers the methods of the tasks extension (SEP-2663), which the SDK does not know of: only in the new era, and only for
 * services that have tasks.
 */
export function answersTasks(
  server: Server,
  { mcp }: ServiceManifest,
  start: (method: HopMethod, params: JsonObject, context: ServerContext) => Promise<JsonObject>,
): void {
  const extensions = mcp?.capabilities.extensions as JsonObject | undefined;
  if (extensions?.[tasksExtension] === undefined) return;
  for (const method of taskMethods) {
    server.setRequestHandler(method, { params: anything, result: anything }, (given, context) => {
      const params = given as JsonObject;
      checkName(params, context);
      // The SDK takes these out of every request.
      const { inputResponses } = context.mcpReq;
      const whole = inputResponses === undefined ? params : { ...params, inputResponses: inputResponses as never };
      return start(method, whole, context);
    });
  }
}

/** Whoever routes by the header must have routed by what is asked for. */
function checkName({ taskId }: JsonObject, { http }: ServerContext): void {
  const header = http?.req?.headers.get(mcpHeaders.name);
  if (header === null || header === undefined || decodeHeaderValue(header) !== taskId) {
    throw new ProtocolError(-32020, 'Mcp-Name: differs from the task id in the body');
  }
}
