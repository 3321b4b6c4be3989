/** Names of the tools for language models; a test compares them with the manifest. */
export const TOOLS = {
  readNotebook: 'sglang_read_notebook',
  readGenerations: 'sglang_read_generations',
  runCell: 'sglang_run_cell',
  runProgram: 'sglang_run_program',
} as const;
