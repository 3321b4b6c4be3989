/** Command ids; a test compares them with the manifest. */
export const COMMANDS = {
  newNotebook: 'sglang.newNotebook',
  openTour: 'sglang.openTour',
  interruptKernel: 'sglang.interruptKernel',
  restartKernel: 'sglang.restartKernel',
  restartAndRunAll: 'sglang.restartAndRunAll',
  shutDownKernel: 'sglang.shutDownKernel',
  runProgram: 'sglang.runProgram',
  runBatch: 'sglang.runBatch',
  exportNotebook: 'sglang.exportNotebook',
  importNotebook: 'sglang.importNotebook',
  chooseModel: 'sglang.chooseModel',
  connectToServer: 'sglang.connectToServer',
  showLog: 'sglang.showLog',
  showDiagnostics: 'sglang.showDiagnostics',
  forceKillKernel: 'sglang.forceKillKernel',
  refreshVariables: 'sglang.refreshVariables',
} as const;
