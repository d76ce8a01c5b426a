export { createMcpHttp, type McpHttpOptions } from './mcp/service-http.ts';
