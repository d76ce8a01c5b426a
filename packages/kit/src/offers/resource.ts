import { resultOf } from '../answer.ts';
import type { Work } from '../running-call.ts';
import { guarded } from './guard.ts';
import type { Contents, ResourceContext, ResourceOptions, ResourceOutput } from './options.ts';

/** Answers `resources/read`. */
export function runRead(
  { mimeType }: ResourceOptions,
  read: (ctx: ResourceContext) => ResourceOutput | Promise<ResourceOutput>,
): Work {
  return (_, context) =>
    guarded(context, async () => {
      const contents = pieces(await read(context)).map((piece) => toContents(piece, { uri: context.uri, mimeType }));
      return resultOf(JSON.stringify({ contents }));
    });
}

function pieces(output: ResourceOutput): readonly Contents[] {
  if (typeof output === 'string' || output instanceof Uint8Array) return [{ content: output }];
  // An array of readonly is no array to `isArray`'s type, but is one.
  return 'content' in output ? [output] : output;
}

interface Defaults {
  readonly uri: string;
  readonly mimeType: string | undefined;
}

function toContents({ uri, mimeType, content }: Contents, defaults: Defaults): object {
  const type = mimeType ?? defaults.mimeType;
  const about = { uri: uri ?? defaults.uri, ...(type !== undefined && { mimeType: type }) };
  if (typeof content === 'string') return { ...about, text: content };
  return { ...about, blob: Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('base64') };
}
