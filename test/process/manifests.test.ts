/** The Kubernetes manifests of docs/deployment.md, by Kubernetes' own schema. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pythonWith } from '../support/python-packages.ts';
import { type Json, root } from './runtime-process.ts';

const VERSION = '1.37.0';
const found = await pythonWith(`kubernetes-validate-${VERSION}`, [
  `kubernetes-validate==${VERSION}`,
  'pyyaml',
]);

/** Prints the documents of standard input as JSON; ends with 1 when one is not valid. */
const VALIDATE = `
import json, sys, yaml, kubernetes_validate
documents = list(yaml.safe_load_all(sys.stdin.read()))
for document in documents:
    kubernetes_validate.validate(document, "${VERSION.replace(/\.0$/, '')}", strict=True)
print(json.dumps(documents))
`;

it('are valid, and agree with each other', ({ skip }) => {
  skip(found.python === null, found.missing ?? '');
  const text = readFileSync(join(root, 'docs', 'deployment.md'), 'utf8');
  const [manifests = '', ...more] = Array.from(
    text.matchAll(/```yaml\n([^]*?)```/g),
    (match) => match[1] ?? '',
  );
  expect(more).toEqual([]);
  const validate = (input: string): Json[] =>
    JSON.parse(
      execFileSync(found.python ?? '', ['-c', VALIDATE], {
        input,
        encoding: 'utf8',
        stdio: 'pipe',
      }),
    );
  const [deployment, claim, service] = validate(manifests);
  const { containers, volumes } = deployment.spec.template.spec;
  const [{ args, env, ports, volumeMounts, ...container }] = containers;
  const port = ports[0].containerPort;
  expect(args).toContain(`--port=${port}`);
  expect([container.startupProbe, container.readinessProbe].map((one) => one.httpGet.port)).toEqual(
    [port, port],
  );
  expect(service.spec.ports).toEqual([{ port }]);
  const labels = deployment.spec.template.metadata.labels;
  expect([deployment.spec.selector.matchLabels, service.spec.selector]).toEqual([labels, labels]);
  const named = (list: Json[]) => new Set(list.map(({ name }) => name));
  expect(named(volumeMounts)).toEqual(named(volumes));
  const claims = volumes.flatMap((volume: Json) => volume.persistentVolumeClaim?.claimName ?? []);
  expect(claims).toEqual([claim.metadata.name]);
  const [secret] = env.map(({ valueFrom }: Json) => valueFrom.secretKeyRef);
  expect(text).toContain(
    `kubectl create secret generic ${secret.name} --from-literal=${secret.key}=`,
  );
  expect(text).toContain(`kubectl port-forward service/${service.metadata.name} ${port}`);
  // The validator does refuse.
  expect(() => validate(manifests.replace('containerPort:', 'containerport:'))).toThrow(
    /containerport/,
  );
});
