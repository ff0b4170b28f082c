// What the panel's server sends, as types; for the checker only, no browser loads it.

export type Severity = "error" | "warning" | "info";

export interface RowProblem {
  code: string;
  severity: Severity;
}

/** An image of a dataset. A row is never changed: a new one takes its place. */
export interface Row {
  key: string;
  set: "training" | "regularization";
  concept: string;
  file: string;
  width: number;
  height: number;
  rating: number | null;
  bad: boolean;
  reason: string;
  text: string | null;
  source: string;
  edited: boolean;
  fixed: boolean;
  tokens: number;
  rejected: boolean;
  problems: RowProblem[];
}

export interface RowDetails extends Row {
  prompt: string;
  tags: { text: string; source: string; confidence: number | null }[];
  offered: { source: string; text: string }[];
  history: { label: string; at: string; undone: boolean; before: string | null; after: string | null }[];
  bucket: { width: number; height: number } | null;
}

export interface DatasetName {
  id: string;
  name: string;
  library: string;
  training: number;
  regularization: number;
  edited: number;
  updated_at: string;
}

export interface DatasetFacts {
  id: string;
  name: string;
  library: string;
  trigger: { word: string; position: string };
  concepts: { name: string }[];
  base_model: string;
  training: number;
  regularization: number;
  revision: string;
  /** Another text after an export with another training config. */
  config: string;
  can_undo: string | null;
  can_redo: string | null;
  problems: string[];
}

export interface Named {
  name: string;
  label: string;
}

export interface Session {
  token: string;
  version: string;
  command: string;
  can_export: boolean;
  can_launch: boolean;
  base_models: { name: string; label: string; token_limit: number }[];
  trainers: Named[];
  trainer_profiles: Named[];
  sources: Named[];
  where: "comfyui" | "page";
}

export interface Change {
  key: string;
  before: string | null;
  after: string | null;
}

export interface Conflict {
  key: string;
  theirs: string | null;
  source?: string;
}

/** What every writing route answers with. */
export interface Written {
  revision: string;
  /** What the revision was before. */
  was: string;
  rows: Row[];
  label: string;
  can_undo: string | null;
  can_redo: string | null;
}

export interface Problem {
  severity: Severity;
  code: string;
  message: string;
  key: string | null;
  fix: { label: string; text: string } | null;
}

export interface Summary {
  training: number;
  regularization: number;
  buckets: { width: number; height: number; count: number }[];
  dropped: number;
  upscaled: number;
  rejected: number;
  steps_per_epoch: number | null;
  total_steps: number | null;
  seconds: number | null;
  problems: Problem[];
}

export interface Job {
  state: "waiting" | "running" | "done" | "failed";
  step: string;
  done: number;
  total: number;
  message: string;
  result: unknown;
}

export interface Run {
  id: string;
  name: string;
  state: string;
  step: number;
  total_steps: number;
  epoch: number;
  loss: number | null;
  seconds_a_step: number | null;
  eta: number | null;
  message: string;
  started_at: string | null;
  ended_at: string | null;
  manifest_hash: string;
  history?: [number, number, number | null][];
  log?: string;
  samples?: string[];
  loras?: string[];
}

export interface Preview {
  count: number;
  emptied: number;
  label: string;
  examples: { key: string; before: string | null; after: string | null }[];
}
