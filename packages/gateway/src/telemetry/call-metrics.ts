import type { AuditRecord } from '@sallyport/core';
import type { Labels, Meters } from './meters.ts';

/** Counts a call by the record of how it ended. */
export type CountCall = (record: AuditRecord) => void;

/** In seconds, as the semantic conventions of MCP have them. */
const durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * The metrics of calls. Labels come from what was resolved, never from what a caller wrote: a name that exists nowhere counts
 * under no name.
 */
export function createCallMetrics(meters: Meters): CountCall {
  const duration = meters.histogram({
    name: 'mcp.server.operation.duration',
    description: 'How long calls took, from when they were received until their record was to be written.',
    unit: 's',
    boundaries: durations,
  });
  const refusals = meters.counter({
    name: 'sallyport.refusals',
    description: 'Calls that were refused, by reason and by the stage that refused them.',
    unit: '{call}',
  });
  const redactions = meters.counter({
    name: 'sallyport.redactions',
    description: 'Things taken out of what services said, by rule.',
    unit: '{redaction}',
  });
  const limited = meters.counter({
    name: 'sallyport.limited',
    description: 'Calls that were refused because there were too many, by which limit.',
    unit: '{call}',
  });
  const decisions = meters.counter({
    name: 'sallyport.decisions',
    description: 'What policies decided, and what those that are only tried would have.',
    unit: '{decision}',
  });
  return (record) => {
    if (record.kind === 'intent') return;
    duration.record(labelsOf(record), record.durationMs / 1000);
    const { outcome, reason, stage, redacted, code, service = '', effect, shadow } = record;
    if (outcome === 'refused') refusals.add({ reason: reason ?? 'internal', stage: stage ?? 'unknown' });
    if (code === 'resource_exhausted') limited.add({ reason: reason ?? '', 'sallyport.service': service });
    if (effect !== undefined) decisions.add({ effect, shadow: shadow?.effect ?? effect, 'sallyport.service': service });
    for (const [rule, count] of Object.entries(redacted ?? {})) redactions.add({ rule }, count);
  };
}

function labelsOf(record: AuditRecord): Labels {
  const { verb, operation, service, tool, outcome, origin, toolError, reason } = record;
  const isResolved = service !== undefined;
  return {
    'mcp.method.name':
      verb === 'invoke' ? (isResolved ? (operation ?? 'tools/call') : 'tools/call') : methodNames[verb],
    'sallyport.service': service ?? '',
    // Resources are as many as their servers like: they count under their service.
    'gen_ai.tool.name': isResolved && operation === undefined ? (tool ?? '') : '',
    'sallyport.outcome': outcome,
    'error.type': reason ?? (toolError ? 'tool_error' : ''),
    'network.transport': origin.transport,
  };
}

const methodNames = { list: 'list', listen: 'subscriptions/listen', reply: 'reply', unreadable: 'unreadable' } as const;
