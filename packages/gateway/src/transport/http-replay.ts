import { IncomingMessage } from 'node:http';

/** The same request with its body, which was read, still to come. */
export function replayed(request: IncomingMessage, body: string): IncomingMessage {
  const again = new IncomingMessage(request.socket);
  const { method, url, headers, rawHeaders, httpVersion } = request;
  Object.assign(again, { method, url, httpVersion, rawHeaders: [...rawHeaders] });
  Object.assign(again.headers, headers, { 'content-length': String(Buffer.byteLength(body)) });
  delete again.headers['transfer-encoding'];
  // It did arrive whole: else its end would be taken for a caller who went away.
  again.complete = true;
  again.push(body);
  again.push(null);
  return again;
}
