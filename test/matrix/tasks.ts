import { setTimeout as pause } from 'node:timers/promises';

interface Caller {
  readonly url: URL;
  readonly token: string;
  readonly era: 'legacy' | 'modern';
}

interface TaskResult {
  readonly content?: readonly { readonly text: string }[];
  readonly resultType?: string;
  readonly taskId?: string;
  readonly status?: string;
  readonly result?: { readonly content: readonly { readonly text: string }[] };
}

/** Neither SDK knows the extension: its messages are written here as the specification has them. */
export async function runTask(
  caller: Caller,
  name: string,
  args: object,
): Promise<{ readonly wasTask: boolean; readonly text: string }> {
  const called = await send(caller, 'tools/call', { name, arguments: args });
  const { taskId } = called;
  if (called.resultType !== 'task' || taskId === undefined) return { wasTask: false, text: textOf(called) };
  for (;;) {
    const got = await send(caller, 'tasks/get', { taskId });
    if (got.taskId !== taskId) throw new Error('another task');
    if (got.status === 'completed') return { wasTask: true, text: textOf(got.result ?? {}) };
    if (got.status !== 'working') throw new Error(`the task is ${got.status}`);
    await pause(20);
  }
}

async function send({ url, token, era }: Caller, method: string, params: object): Promise<TaskResult> {
  const named = (params as { readonly taskId?: string; readonly name?: string }).taskId ?? Object.values(params)[0];
  const modern = {
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': method,
    'Mcp-Name': String(named),
  };
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...(era === 'modern' && modern),
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method },
      params: { ...params, ...(era === 'modern' && { _meta }) },
    }),
  });
  const body = (await response.json()) as { readonly result?: TaskResult; readonly error?: object };
  if (body.result === undefined) throw new Error(JSON.stringify(body.error));
  return body.result;
}

function textOf({ content = [] }: TaskResult): string {
  return content[0]?.text ?? '';
}
