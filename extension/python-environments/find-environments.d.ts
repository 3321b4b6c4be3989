export type EnvironmentKind = 'venv' | 'conda' | 'uv' | 'pyenv' | 'system';
export interface PythonEnvironment {
  /** Absolute path of the interpreter. */
  readonly executable: string;
  readonly kind: EnvironmentKind;
  /** Name of the environment, for people. */
  readonly name: string;
  /** As its own files say it, such as `3.12.4`; `null` when they do not. */
  readonly version: string | null;
}
export interface SearchPlaces {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folders of the workspace and of the notebook, nearest first. */
  readonly folders: readonly string[];
}
/** Oldest Python that the kernel runs in. */
export declare const OLDEST_PYTHON: readonly [major: number, minor: number];
/** Nearest first: the workspace's own, the active one, then the managers', then the path's. */
export declare function findEnvironments(places: SearchPlaces): readonly PythonEnvironment[];
/** Whether the kernel can run in a version; an unknown one is tried. */
export declare function isSupported(version: string | null): boolean;
