/** How rows of our views sound. */
import type { TreeItem } from 'vscode';

/** The same row, read aloud as it is written: VS Code would read its tooltip alone. */
export function spoken(item: TreeItem): TreeItem {
  const label = typeof item.label === 'string' ? item.label : (item.label?.label ?? '');
  item.accessibilityInformation = { label: `${label}: ${String(item.description ?? '')}` };
  return item;
}
