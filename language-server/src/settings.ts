/** Settings come from users: what is no known rule, severity or backend is left out. */
import { rules, type Severity, type SeverityOverrides } from './features/rules.ts';
import type { BackendChoice } from './semantics/analysis.ts';
import type { Settings } from './service.ts';

const severityNames: readonly Severity[] = ['error', 'warning', 'information', 'hint', 'off'];
const backendNames: readonly BackendChoice['kind'][] = [
  'sglang',
  'openai-chat',
  'openai-completion',
  'anthropic',
  'vertexai',
  'litellm',
];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** The section `sglang.diagnostics`. */
export function parseSettings(value: unknown): Pick<Settings, 'severities' | 'backend'> {
  const given = isObject(value) ? value : {};
  const { severity, backend, serverVersion } = given;
  const kind = backendNames.find((name) => name === backend) ?? 'unknown';
  const isVersion = typeof serverVersion === 'string' && /^\d+(?:\.\w+)*$/.test(serverVersion);
  return {
    severities: parseSeverities(severity),
    backend: { kind, version: isVersion ? serverVersion : null },
  };
}

function parseSeverities(value: unknown): SeverityOverrides {
  if (!isObject(value)) return {};
  const entries = Object.entries(value).flatMap(([code, given]) => {
    const severity = severityNames.find((name) => name === given);
    return rules.has(code) && severity ? [[code, severity] as const] : [];
  });
  return Object.fromEntries(entries);
}
