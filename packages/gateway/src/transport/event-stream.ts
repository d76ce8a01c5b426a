const maxEventLength = 64 * 1024 * 1024;

/**
 * Reads a `text/event-stream` (HTML standard, 9.2) and hands out the data of each event. Ids, names and comments are
 * skipped: MCP puts everything into the data.
 *
 * @throws Error when one event is longer than 64 Mi characters, or the stream breaks.
 */
export async function readEvents(body: ReadableStream<Uint8Array>, onData: (data: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let pending = '';
  let data: string[] = [];
  const takeLine = (line: string): void => {
    if (line === '') {
      if (data.length > 0) onData(data.join('\n'));
      data = [];
    } else if (line.startsWith('data:')) {
      data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
    }
  };
  for await (const chunk of body) {
    pending += decoder.decode(chunk, { stream: true });
    if (pending.length > maxEventLength) throw new Error('an event is too long');
    const lines = pending.split(/\r\n|\n|\r(?!$)/);
    pending = lines.pop() ?? '';
    for (const line of lines) takeLine(line);
  }
}
