import { type Answer, type JsonText, type Permit, principalKey } from '@sallyport/core';
import { fakePrincipal, fakeTool, plainSealer } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createSealing } from './sealing.ts';

const sealing = createSealing({ sealer: plainSealer, nowMs: () => 0, gatewayId: 'here' });
const elsewhere = createSealing({ sealer: plainSealer, nowMs: () => 0, gatewayId: 'there' });

function permit(overrides: Partial<Permit> = {}): Permit {
  return {
    principal: fakePrincipal(),
    target: fakeTool(),
    method: 'tools/call',
    argumentsText: '{"a":1}' as JsonText,
    retry: undefined,
    ...overrides,
  } as Permit;
}

const asked = (state: string): Answer => ({
  text: `{"resultType":"input_required","inputRequests":{},"requestState":${JSON.stringify(state)}}` as JsonText,
  isError: false,
  instance: 'i1',
  resultType: 'input_required',
});

const stateOf = (answer: Answer): string => (JSON.parse(answer.text) as { requestState: string }).requestState;

describe('the state of a question', () => {
  const sealed = stateOf(sealing.outgoing(permit(), asked('inner')));

  it('goes out sealed and comes back as the service made it', () => {
    expect(sealed).not.toContain('inner');
    const retry = { requestState: sealed, inputResponsesText: '{}' as JsonText };
    expect(sealing.incoming(permit({ retry }))).toEqual({ ...retry, requestState: 'inner' });
  });

  it.each([
    ['another caller', { principal: fakePrincipal({ subject: 'mallory' }) }],
    ['another agent of the same caller', { principal: fakePrincipal({ actor: { subject: 'agent' } }) }],
    ['another tool', { target: fakeTool({ name: 'tasks.TaskService.Delete' }) }],
    ['other arguments', { argumentsText: '{"a":2}' as JsonText }],
    ['another method', { method: 'prompts/get' as const }],
  ])('is no good for %s', (_what, overrides) => {
    const changed = permit({ ...overrides, retry: { requestState: sealed } });
    expect(() => sealing.incoming(changed)).toThrow(expect.objectContaining({ reason: 'state_invalid' }));
  });

  it('is no good when it was made up', () => {
    const made = permit({ retry: { requestState: 'inner' } });
    expect(() => sealing.incoming(made)).toThrow(expect.objectContaining({ reason: 'state_invalid' }));
  });

  it('of a parked call is good only where the call is parked, and that is said', () => {
    const parked = permit({ retry: { requestState: stateOf(sealing.outgoing(permit(), asked('parked:1'))) } });
    expect(sealing.incoming(parked)?.requestState).toBe('parked:1');
    expect(() => elsewhere.incoming(parked)).toThrow(expect.objectContaining({ reason: 'parked_elsewhere' }));
    const stateless = permit({ retry: { requestState: sealed } });
    expect(elsewhere.incoming(stateless)?.requestState).toBe('inner');
  });
});

describe('the id of a task', () => {
  const made = sealing.outgoing(permit(), {
    text: '{"resultType":"task","taskId":"t-1","status":"working"}' as JsonText,
    ...{ isError: false, instance: 'i1', resultType: 'task' },
  });
  const { taskId } = JSON.parse(made.text) as { taskId: string };

  it('opens for whom it was made, and names the tool that made it', () => {
    expect(sealing.openTask(fakePrincipal(), taskId)).toEqual({ tool: 'tasks.TaskService.Create', taskId: 't-1' });
    expect(sealing.openTask(fakePrincipal({ subject: 'mallory' }), taskId)).toBeUndefined();
    expect(sealing.openTask(fakePrincipal(), 't-1')).toBeUndefined();
  });

  it('is the same in every answer about the task', () => {
    const argumentsText = JSON.stringify({ taskId }) as JsonText;
    const got = sealing.outgoing(permit({ method: 'tasks/get', argumentsText }), {
      text: '{"taskId":"t-1","status":"completed"}' as JsonText,
      ...{ isError: false, instance: 'i1' },
    });
    expect(JSON.parse(got.text)).toMatchObject({ taskId, status: 'completed' });
  });

  it('belongs to one tool', () => {
    const argumentsText = JSON.stringify({ taskId }) as JsonText;
    expect(sealing.taskOf(permit({ method: 'tasks/get', argumentsText }))).toBe('t-1');
    const other = permit({ method: 'tasks/get', argumentsText, target: fakeTool({ name: 'tasks.Other.Tool' }) });
    expect(() => sealing.taskOf(other)).toThrow(expect.objectContaining({ reason: 'unknown_task' }));
  });
});

describe('a key of a principal', () => {
  it('is the same for two tokens of one account, and different for everything else', () => {
    const key = principalKey(fakePrincipal());
    expect(principalKey(fakePrincipal({ credentialId: 'another' }))).toBe(key);
    for (const other of [{ subject: 'x' }, { client: 'x' }, { tenant: 'x' }, { session: 'x' }, { method: 'x' }]) {
      expect(principalKey(fakePrincipal(other))).not.toBe(key);
    }
  });
});
