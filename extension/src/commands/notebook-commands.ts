/** Commands that make, open and convert notebooks. */
import {
  commands,
  NotebookCellData,
  NotebookCellKind,
  NotebookData,
  Uri,
  window,
  workspace,
} from 'vscode';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { cellLanguage } from '../settings.ts';

const FIRST_CELL = `from sglang import RuntimeEndpoint, assistant, function, gen, set_default_backend, user
from sglang.utils import execute_shell_command, terminate_process, wait_for_server

server = execute_shell_command("python3 -m sglang.launch_server --model-path Qwen/Qwen2.5-1.5B-Instruct --port 30000")
wait_for_server("http://localhost:30000")
set_default_backend(RuntimeEndpoint("http://localhost:30000"))`;

const SECOND_CELL = `@function
def capital_of(s, country: str):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=64))


state = capital_of.run(country="France")
state["capital"]`;

export async function newNotebook(): Promise<void> {
  const cells = [FIRST_CELL, SECOND_CELL].map(
    (source) => new NotebookCellData(NotebookCellKind.Code, source, cellLanguage()),
  );
  const document = await workspace.openNotebookDocument(NOTEBOOK_TYPE, new NotebookData(cells));
  await window.showNotebookDocument(document);
}

/** Opens the tour as a new notebook, so that the shipped file stays as it is. */
export async function openTour(tour: Uri): Promise<Uri> {
  const bytes = await workspace.fs.readFile(tour);
  const folder = workspace.workspaceFolders?.[0]?.uri;
  if (!folder) {
    await commands.executeCommand('vscode.openWith', tour, NOTEBOOK_TYPE);
    return tour;
  }
  const target = Uri.joinPath(folder, 'sglang-tour.sglnb');
  const exists = await workspace.fs.stat(target).then(
    () => true,
    () => false,
  );
  if (!exists) await workspace.fs.writeFile(target, bytes);
  await commands.executeCommand('vscode.openWith', target, NOTEBOOK_TYPE);
  return target;
}
