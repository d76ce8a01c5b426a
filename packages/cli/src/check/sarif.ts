import { type CheckFinding, checkRules } from './finding.ts';

/** Where documentation of the rules is. */
const helpUri = 'https://github.com/sallyport/sallyport/blob/main/docs/check.md';

/** What was found in the form that code hosts take (OASIS SARIF 2.1.0): one run of one tool. */
export function toSarif(findings: readonly CheckFinding[], version: string): object {
  const ids = Object.keys(checkRules);
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'sallyport check',
            version,
            informationUri: helpUri,
            rules: Object.entries(checkRules).map(([id, { level, text }]) => ({
              id,
              shortDescription: { text },
              helpUri: `${helpUri}#${id}`,
              defaultConfiguration: { level },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map(({ rule, level, message, suggestion, place }) => ({
          ruleId: rule,
          ruleIndex: ids.indexOf(rule),
          level,
          message: { text: suggestion === undefined ? message : `${message}\n${suggestion}` },
          ...(place && { locations: [location(place)] }),
        })),
      },
    ],
  };
}

function location({ file, line, column }: NonNullable<CheckFinding['place']>): object {
  return {
    physicalLocation: {
      artifactLocation: { uri: encodeURI(file.replaceAll('\\', '/')) },
      region: { startLine: line, startColumn: column },
    },
  };
}
