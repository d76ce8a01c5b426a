/** So deep may brackets be within brackets. At 150 the stack of Cedar's parser runs over, and it never works again. */
const mostBrackets = 40;
/** So many operators may wait for each other: those around an expression, and those before it in its own chain. */
const mostOperators = 800;

/** Strings and comments, words, operators; whatever else there is, one by one. */
const tokens = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"?|\/\/[^\n]*|[\w:]+|&&|\|\||\S/g;
/** How much deeper an expression gets by each. `if` has three parts, and is parsed in more steps. */
const steps: ReadonlyMap<string, number> = new Map([
  ...['&&', '||', '+', '-', '*', '.', 'when', 'unless'].map((token) => [token, 1] as const),
  ...['(', '[', '{'].map((token) => [token, 1] as const),
  ['if', 2],
]);

/**
 * Whether an expression in a Cedar text is nested deeper than can be parsed. Cedar's parser, and whatever walks what it parses,
 * goes one step down for each operator of a chain and several for each bracket. Strings and comments count for nothing.
 */
export function isTooDeep(text: string): boolean {
  /** Steps of the chain in each open bracket, from the outermost. */
  const chains = [0];
  let sum = 0;
  const add = (count: number): void => {
    chains.push((chains.pop() ?? 0) + count);
    sum += count;
  };
  for (const [token] of text.matchAll(tokens)) {
    const step = steps.get(token);
    if (step !== undefined) add(step);
    if ('([{'.includes(token)) chains.push(0);
    else if (')]}'.includes(token) && chains.length > 1) sum -= chains.pop() ?? 0;
    else if (token === ',' || token === ';') add(-(chains.at(-1) ?? 0));
    if (chains.length > mostBrackets || sum > mostOperators) return true;
  }
  return false;
}
