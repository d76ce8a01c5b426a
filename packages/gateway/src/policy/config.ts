import { resolve } from 'node:path';
import { z } from 'zod';
import { flag, listOf, names } from '../text/shapes.ts';
import type { PolicySource } from './source.ts';
import type { AttributeType, PolicySettings } from './types.ts';

/** Where a secret is: a file (absolute path) with nothing else in it, or a variable of the environment. */
export type PolicySecretPlace = { readonly file: string } | { readonly env: string };

/** A policy decision point outside. */
export interface ExternalPoint {
  readonly kind: 'authzen' | 'opa';
  /** Stands in records where it decided. */
  readonly name: string;
  /** What is asked, whole: `https://pdp.example/access/v1/evaluation`, `http://127.0.0.1:8181/v1/data/sallyport/authz`. */
  readonly url: string;
  readonly timeoutMs: number;
  /** Names or patterns of what it is asked about. */
  readonly tools: readonly string[];
  /** Whether it is also asked what may be seen: one question for each thing on offer. */
  readonly discover: boolean;
  /** Shown as a bearer token. */
  readonly token?: PolicySecretPlace;
  /** CIDRs where it may be, besides the internet and what its own address says. */
  readonly networks: readonly string[];
}

/** What a configuration says of policies. */
export interface PolicyConfig {
  /** The policies of the files. */
  readonly source: PolicySource;
  readonly settings: PolicySettings;
  /** The file says where policies are. Else they are in the usual folder, and none at all may mean that it was lost. */
  readonly isNamed: boolean;
  readonly external: readonly ExternalPoint[];
}

/** The types of a configuration that are read the same everywhere; whoever reads the whole file has them. */
export interface PolicyFields {
  readonly path: z.ZodType<string, string>;
  readonly cidr: z.ZodType<string, string>;
  readonly duration: z.ZodType<number, string>;
  /** An https URL, or http on this machine. */
  readonly publicUrl: z.ZodType<string, string>;
  readonly namePattern: z.ZodType<string, string>;
  readonly viewName: z.ZodType<string, string>;
  readonly secret: z.ZodType<SecretFile>;
}

/** The same as it is written. */
export interface SecretFile {
  readonly file?: string | undefined;
  readonly env?: string | undefined;
}

const attributeTypes = ['string', 'long', 'boolean', 'strings'] as const satisfies readonly AttributeType[];

/** The section `policy` of a configuration. */
export function policyShape(field: PolicyFields) {
  return z
    .strictObject(
      {
        files: listOf(field.path, names('files and folders'))
          .optional()
          .describe(
            'Files (`*.cedar`, `*.policy.yaml`) and folders of them. Default: `policies`, if that folder is there.',
          ),
        default: z
          .enum(['scopes', 'deny'], { error: 'expected scopes or deny' })
          .prefault('scopes')
          .describe('Where no policy says anything: `scopes` permits who holds the scopes of a tool, `deny` nobody.'),
        environment: z
          .string({ error: 'expected the name of an environment' })
          .regex(/^[\w.-]{1,100}$/, { error: 'expected the name of an environment' })
          .optional()
          .describe('What policies know as `context.environment`: `production`, say.'),
        attributes: z
          .record(
            z.string().regex(/^[A-Za-z_][\w-]{0,99}$/, { error: 'expected the name of an attribute' }),
            z.enum(attributeTypes, { error: `expected one of ${attributeTypes.join(', ')}` }),
            { error: 'expected types by attribute, like { department: string }' },
          )
          .prefault({})
          .describe(
            'Attributes of callers that policies may read, with their types: `string`, `long`, `boolean`, `strings`.',
          ),
        external: listOf(externalShape(field), names('decision points'))
          .prefault([])
          .describe('Policy decision points outside, asked besides. One that denies, or does not answer, denies.'),
      },
      { error: 'expected keys and values, like { environment: production }' },
    )
    .describe('Who may do what, beyond scopes ([policy](policy.md)).');
}

function externalShape(field: PolicyFields) {
  return z
    .strictObject(
      {
        kind: z
          .enum(['authzen', 'opa'], { error: 'expected authzen or opa' })
          .describe('`authzen`: AuthZEN 1.0. `opa`: the data API of Open Policy Agent.'),
        name: field.viewName.optional().describe('Stands in records. Default: its kind.'),
        url: field.publicUrl.describe(
          'Its address; for `opa` with the path of the rule: `http://127.0.0.1:8181/v1/data/sallyport/authz`.',
        ),
        timeout: field.duration.prefault('2s').describe('Longest time to wait for its answer.'),
        tools: listOf(field.namePattern, names('names or patterns'))
          .prefault(['*'])
          .describe('What it is asked about, by names or patterns.'),
        discover: flag()
          .prefault(false)
          .describe('Whether it is also asked what each caller may see: one question for each thing on offer.'),
        token: field.secret.optional().describe('What it is shown, as a bearer token.'),
        networks: listOf(field.cidr, names('address ranges'))
          .prefault([])
          .describe('Networks where it may be, besides the internet and, by its own address, this machine.'),
      },
      { error: 'expected a decision point like { kind: authzen, url: https://pdp.example }' },
    )
    .describe('A policy decision point.');
}

/** The section as read. */
export type PolicySection = z.output<ReturnType<typeof policyShape>>;

/** @param folder where relative paths begin. */
export function toPolicyConfig(section: PolicySection, source: PolicySource, folder: string): PolicyConfig {
  const { default: byDefault, attributes, environment } = section;
  return {
    source,
    isNamed: section.files !== undefined,
    settings: { default: byDefault, attributes, ...(environment !== undefined && { environment }) },
    external: section.external.map(({ kind, name = kind, url, timeout, token, ...rest }) => ({
      ...{ kind, name, timeoutMs: timeout, ...rest },
      url: kind === 'authzen' && !url.includes('/access/') ? `${url.replace(/\/$/, '')}/access/v1/evaluation` : url,
      ...(token && { token: toPlace(token, folder) }),
    })),
  };
}

function toPlace({ file, env }: SecretFile, folder: string): PolicySecretPlace {
  return file === undefined ? { env: env ?? '' } : { file: resolve(folder, file) };
}
