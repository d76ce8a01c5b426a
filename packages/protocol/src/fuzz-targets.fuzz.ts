import type { FuzzTarget } from '@sallyport/testkit';
import { fuzzHeaderValue } from './header-value.fuzz.ts';
import { fuzzJsonRpc } from './json-rpc.fuzz.ts';
import { fuzzInbound } from './mcp-inbound.fuzz.ts';
import { fuzzRewriting } from './relay/rewrite-result.fuzz.ts';
import { fuzzEventStream } from './sse.fuzz.ts';
import { fuzzStrictJson } from './strict-json.fuzz.ts';

function corpus(name: string): URL {
  return new URL(`./corpus/${name}/`, import.meta.url);
}

/** Every parser of this package that reads what strangers send. */
export const fuzzTargets: readonly FuzzTarget[] = [
  { name: 'strict-json', corpus: corpus('json-rpc'), run: fuzzStrictJson },
  { name: 'json-rpc', corpus: corpus('json-rpc'), run: fuzzJsonRpc },
  { name: 'inbound', corpus: corpus('inbound'), run: fuzzInbound },
  { name: 'rewriting', corpus: corpus('results'), run: fuzzRewriting },
  { name: 'header-value', corpus: corpus('header-value'), run: fuzzHeaderValue },
  { name: 'event-stream', corpus: corpus('event-stream'), run: fuzzEventStream },
];
