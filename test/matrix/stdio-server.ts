// A stdio server of the first SDK with every feature of the matrix.
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createFirstServer, nothingYet } from './first-server.ts';

// The SDK's own types disagree about optional members.
await createFirstServer(nothingYet()).connect(new StdioServerTransport() as never);
