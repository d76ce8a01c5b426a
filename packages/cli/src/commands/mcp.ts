import { gatewayTarget } from '../client/gateway-client.ts';
import type { Context } from '../context.ts';

/** Bridges MCP on stdin and stdout to the gateway, until stdin ends. Writes nothing but protocol on stdout. */
export async function mcp(context: Context): Promise<void> {
  const { base, token } = gatewayTarget(context, undefined);
  const { bridgeStdio } = await import('@sallyport/gateway');
  const ended = new AbortController();
  void context.untilStopped(ended.signal).then(() => ended.abort());
  const { stdin, stdout, stderr } = process;
  try {
    await bridgeStdio({
      url: new URL(`${base.href.replace(/\/$/, '')}/mcp`),
      token,
      stdin,
      stdout,
      stderr,
      signal: ended.signal,
    });
  } finally {
    ended.abort();
  }
}
