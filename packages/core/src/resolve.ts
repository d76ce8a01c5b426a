import { findTarget, unknown } from './listing.ts';
import type { Principal } from './principal.ts';
import type { CallOf, Stages } from './stages.ts';
import type { Target, View } from './tool.ts';

/** The target a caller named. A task stands for the tool that made it. */
export async function resolve(stages: Stages, call: CallOf<'invoke'>, principal: Principal): Promise<Target> {
  const { endpoint, request } = call;
  const { capability, name } = request;
  const view = await stages.view(principal, endpoint);
  if (capability !== 'task') return findTarget(view, { endpoint, capability, name });
  return taskTool(view, stages.toolOfTask(principal, name));
}

/** The tool that made a task, if it may still be known of. @throws GatewayError `unknown_task` */
export function taskTool({ catalog, has }: View, name: string | undefined): Target {
  const tool = name === undefined ? undefined : catalog.byName.get(name);
  if (tool?.capability !== 'tool' || !has(tool)) throw unknown('task');
  return tool;
}
