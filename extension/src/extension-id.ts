import { extensions } from 'vscode';

export const EXTENSION_ID = 'sglang-notebooks.sglang-notebooks';

export function extensionVersion(): string {
  const manifest: unknown = extensions.getExtension(EXTENSION_ID)?.packageJSON;
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '?';
}
