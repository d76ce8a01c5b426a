import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
  visit,
} from 'yaml';

/** Where something stands in the file: from the first character to after the last, as offsets. */
export type Range = readonly [start: number, end: number];

/** Which part of an entry is meant. */
export type Part = 'key' | 'value';

/** Something wrong at a place, before it has a line number. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly part: Part;
  readonly message: string;
}

/** One thing to mend in a configuration file. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly message: string;
  /** The line and a mark under the place; values that may be secret are masked. */
  readonly frame: string;
}

/** A YAML text with its positions. */
export interface Source {
  /** What the text says, as plain data; `undefined` when there are problems. */
  readonly value: unknown;
  /** What is wrong with the text as YAML. */
  readonly problems: readonly Problem[];
  /** Gives a finding its place: the key or value itself, else the nearest thing that is there. */
  locate(finding: Finding): Problem;
}

const mostAliases = 100;

/**
 * Reads YAML 1.2 strictly: duplicate keys, unknown tags, several documents and alias bombs are problems. Nothing is
 * ever executed or resolved from outside.
 *
 * @param name how the file is called in problems.
 */
export function parseSource(text: string, name: string): Source {
  const lines = new LineCounter();
  return sourceOf(parseDocument(text, { ...strictly, lineCounter: lines }), { text, name, lines });
}

/** The same for a text of one or many documents, each between `---`. Empty documents are left out. */
export function parseSources(text: string, name: string): readonly Source[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { ...strictly, lineCounter: lines });
  const documents = Array.isArray(parsed) ? parsed : [];
  return documents
    .filter((document) => document.contents !== null || document.errors.length > 0)
    .map((document) => sourceOf(document, { text, name, lines }));
}

const strictly = { strict: true, uniqueKeys: true, version: '1.2', prettyErrors: false } as const;

interface Written {
  readonly text: string;
  readonly name: string;
  readonly lines: LineCounter;
}

function sourceOf(document: Document.Parsed, { text, name, lines }: Written): Source {
  const masked = mask(text, document);
  const place = (range: Range, message: string): Problem => {
    const { line, col } = lines.linePos(range[0]);
    return { file: name, line: Math.max(1, line), column: Math.max(1, col), message, frame: frame(masked, range) };
  };
  const faults = [...document.errors, ...document.warnings];
  const problems = faults.map((fault) => place([fault.pos[0], fault.pos[1]], plainMessage(fault.message)));
  problems.push(
    ...prototypeKeys(document).map((range) => place(range, '"__proto__" is not a key that anything can have')),
  );
  const locate = ({ path, part, message }: Finding) => place(rangeOf(document, path, part), message);
  if (problems.length > 0) return { value: undefined, problems, locate };
  try {
    return { value: document.toJS({ maxAliasCount: mostAliases }), problems, locate };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { value: undefined, problems: [place([0, 1], message)], locate };
  }
}

/** Plain data would lose such a key without a word. */
function prototypeKeys(document: Document): readonly Range[] {
  const ranges: Range[] = [];
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '__proto__') ranges.push(nodeRange(key) ?? [0, 0]);
    },
  });
  return ranges;
}

function plainMessage(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function rangeOf(document: Document, path: readonly PropertyKey[], part: Part): Range {
  let node: unknown = document.contents;
  let range = nodeRange(node) ?? [0, 0];
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (!pair) return firstOf(range);
      range = (last && part === 'key' ? undefined : nodeRange(pair.value)) ?? nodeRange(pair.key) ?? range;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      range = nodeRange(node) ?? range;
    }
  }
  return range;
}

/** For something missing: its parent's first character, not the whole parent. */
function firstOf([start]: Range): Range {
  return [start, start + 1];
}

function nodeRange(node: unknown): Range | undefined {
  const range = (node as Node | null | undefined)?.range;
  // A value that is not written (`key:` and nothing) has an empty range of its own; its key says more.
  return range && range[1] > range[0] ? [range[0], range[1]] : undefined;
}

/** The text with every environment value and every password in a URL blotted out: frames are printed and logged. */
function mask(text: string, document: Document): string {
  const ranges: Range[] = [];
  visit(document, {
    Pair(_, pair) {
      if (!isScalar(pair.key)) return;
      const secret = isScalar(pair.value) && isSecretKey(pair.key.value) ? nodeRange(pair.value) : undefined;
      if (secret) ranges.push(secret);
      if (pair.key.value !== 'env' || !isMap(pair.value)) return;
      for (const item of pair.value.items) {
        const range = isPair(item) ? nodeRange(item.value) : undefined;
        if (range) ranges.push(range);
      }
    },
    Scalar(_, scalar) {
      const range = nodeRange(scalar);
      if (range && /:\/\/[^/]*@/.test(String(scalar.value))) ranges.push(range);
    },
  });
  let masked = text;
  for (const [start, end] of ranges) {
    masked = masked.slice(0, start) + masked.slice(start, end).replace(/[^\r\n]/g, '*') + masked.slice(end);
  }
  return masked;
}

/** Keys under which secrets are named, and where somebody may have written one instead. */
export function isSecretKey(key: unknown): boolean {
  return /^(?:token|value|secret|clientSecret|client_secret|password|passphrase)$/.test(String(key));
}

/** The line of a place and a mark under it. */
export function frame(text: string, [start, end]: Range): string {
  const from = text.lastIndexOf('\n', start - 1) + 1;
  const until = text.indexOf('\n', start);
  const line = text
    .slice(from, until === -1 ? undefined : until)
    .replace(/\r$/, '')
    .slice(0, 160);
  const number = String(text.slice(0, start).split('\n').length);
  const width = Math.max(1, Math.min(end, from + line.length) - start);
  const indent = line.slice(0, start - from).replace(/[^\t]/g, ' ');
  return `${number.padStart(5)} | ${line}\n${' '.repeat(5)} | ${indent}${'^'.repeat(width)}`;
}
