/** Opens VS Code's issue reporter, filled in. */
import { commands, l10n, window, workspace } from 'vscode';
import { EXTENSION_ID } from '../extension-id.ts';

/**
 * @param diagnostics Markdown; it may be published, so nothing in it names files, servers or keys
 */
export async function reportIssue(diagnostics: string): Promise<void> {
  const issueBody = [
    l10n.t('What I did, cell by cell:'),
    l10n.t('What happened:'),
    l10n.t('What I expected:'),
  ].join('\n\n\n');
  try {
    await commands.executeCommand('workbench.action.openIssueReporter', {
      extensionId: EXTENSION_ID,
      issueBody,
      data: diagnostics,
    });
  } catch {
    // A workbench without a reporter of its own opens a web page, and knows none for this extension.
    await openReport(`${issueBody}\n\n\n${diagnostics}`);
  }
}

async function openReport(content: string): Promise<void> {
  const document = await workspace.openTextDocument({ language: 'markdown', content });
  await window.showTextDocument(document);
  await window.showInformationMessage(
    l10n.t('This VS Code has no issue reporter. Copy the report from here once it is complete.'),
  );
}
