export type { ErrorCode, HopMethod, JsonObject, JsonValue, ServiceManifest, ToolManifest } from '@sallyport/protocol';
export type {
  CallerQuestions,
  Elicited,
  FormQuestion,
  LogLevel,
  ModelContent,
  Root,
  SamplingAnswer,
  SamplingRequest,
  UrlQuestion,
} from './caller-options.ts';
export type { HopCertificates } from './hop/mutual.ts';
export type { InvokeOptions } from './invoke.ts';
export type { Listening, ListenOptions } from './listen.ts';
export type { CallLogger, LogMethod } from './log.ts';
export type { McpOptions } from './mcp/endpoint.ts';
export type { GatewayTrust } from './mcp/statement.ts';
export type {
  ArgumentsOf,
  Complete,
  CompletionContext,
  Contents,
  PromptArgument,
  PromptContext,
  PromptHandler,
  PromptMessage,
  PromptOptions,
  PromptOutput,
  Read,
  ReadOne,
  ResourceContext,
  ResourceOptions,
  ResourceOutput,
  TemplateOptions,
  VariablesOf,
} from './offers/options.ts';
export type { Checked, InputOf, LibrarySchema, OutputOf, RawSchema, Schema, SchemaIssue } from './schema.ts';
export { type Service, type ServiceOptions, service } from './service.ts';
export { CallError, ToolError } from './tool-error.ts';
export type {
  ArgumentBound,
  CallLimit,
  CallOptions,
  CallTool,
  Description,
  Handler,
  HandlerContext,
  Principal,
  Progress,
  Statement,
  ToolContext,
  ToolDescription,
  ToolOptions,
  ToolPolicy,
} from './tool-options.ts';
