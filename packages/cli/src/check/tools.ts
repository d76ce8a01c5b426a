import { type CheckFinding, finding } from './finding.ts';
import type { KnownTool } from './snapshot.ts';

/** What else is said of tools: by policy files and their tests. */
export interface Said {
  /** Tools whose policies name an owner. */
  readonly owned: ReadonlySet<string>;
  readonly classified: ReadonlySet<string>;
  /** Tools that some policy is about by name. */
  readonly governed: ReadonlySet<string>;
  /** Tools that some policy test calls. */
  readonly tested: ReadonlySet<string>;
}

/** What tools do not say of themselves, and nobody says of them. */
export function toolFindings(tools: readonly KnownTool[], said: Said): readonly CheckFinding[] {
  return tools.flatMap((tool) => {
    const { name, scopes, sideEffect, internal, undeclared } = tool;
    const found: CheckFinding[] = [];
    const changes = sideEffect !== 'read';
    if (undeclared.includes('owner') && !said.owned.has(name)) {
      found.push(
        finding('owner', `${name} has no owner`, {
          suggestion: 'Name one in the service, or with owner: in its policy.',
        }),
      );
    }
    if (changes && scopes.length === 0 && !internal) {
      found.push(
        finding('scopes', `${name} changes something and takes no scope: whoever is let in may call it`, {
          suggestion: 'Declare scopes in the service, or set them under tools: in the configuration.',
        }),
      );
    }
    if (undeclared.includes('classification') && !said.classified.has(name)) {
      found.push(
        finding('classification', `${name} does not say how confidential it is`, {
          suggestion: 'Declare a classification in the service, or with classification: in its policy.',
        }),
      );
    }
    if (said.governed.has(name) && !said.tested.has(name)) {
      found.push(
        finding('test', `${name} has a policy and no policy test`, {
          suggestion: 'Write a case: `sallyport policy test --help` shows one.',
        }),
      );
    }
    return found.map((one) => ({ ...one, ...(tool.place && { place: tool.place }) }));
  });
}
