/** Ids shared with the manifest; a test compares them. */
export const NOTEBOOK_TYPE = 'sglang-notebook';
export const CELL_LANGUAGE = 'sglang-python';
export const SUPPORTED_LANGUAGES = [CELL_LANGUAGE, 'python'] as const;
