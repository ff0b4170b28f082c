// JSON types of the panel's API, for the type checker only; rendered by `python -m tests.panel_types` from
// lorads_core/panel/json_types.py, so change them there.

export type FieldKind = "tags" | "tag" | "text" | "flag" | "choice" | "source" | "problems" | "trigger" | "position";

export type Position = "prepend" | "append" | "none";

export type RunState = "starting" | "running" | "completed" | "failed" | "cancelled" | "lost";

export type Severity = "error" | "warning" | "info";

export type OptionKind = "whole" | "number" | "flag" | "switch" | "choice" | "text" | "lines" | "file" | "toml";

export type JobState = "waiting" | "running" | "done" | "failed";

export type ImageSet = "training" | "regularization";

export type Certainty = "certain" | "possible" | "generated" | "excluded";

export type Where = "comfyui" | "page";

export type OperationName =
  | "add_tags"
  | "remove_tags"
  | "replace_tag"
  | "find_replace"
  | "sort"
  | "apply_source"
  | "prune"
  | "fix";

/** A choice: its value, and how it is shown. */
export interface Named {
  name: string;
  label: string;
}

/** An argument of a bulk operation. Without a default (null) it must be filled in. */
export interface OperationField {
  name: string;
  label: string;
  kind: FieldKind;
  hint: string;
  default: string | boolean | null;
  choices: Named[];
}

/** A bulk operation, as the dialog offers it. */
export interface Operation {
  name: OperationName;
  label: string;
  fields: OperationField[];
}

/** A profile of an installed trainer that the panel may launch. */
export interface Profile {
  name: string;
  label: string;
  trainer: string;
}

/** The session: token, permissions, and the choices of the page. */
export interface Session {
  token: string;
  version: string;
  where: Where;
  command: string;
  can_export: boolean;
  can_launch: boolean;
  base_models: Named[];
  networks: Named[];
  trainers: Named[];
  trainer_profiles: Profile[];
  sources: Named[];
  libraries: string[];
  operations: Operation[];
}

/** A dataset in the list of datasets; the name of another person's is `owner/name`. */
export interface DatasetSummary {
  id: string;
  name: string;
  library: string;
  training: number;
  regularization: number;
  rejected: number;
  edited: number;
  updated_at: string;
}

/** A trigger word, and where it stands in a caption. */
export interface Trigger {
  word: string;
  position: Position;
}

/** One of several concepts of a dataset, with a trigger of its own. */
export interface Concept {
  name: string;
  trigger: Trigger;
  repeats: number;
}

/** A dataset. `config` changes with an export with another training config; `problems` are missing images. `token_limit` is the number of tokens after which lint warns and a training cuts a caption. */
export interface DatasetFacts {
  id: string;
  name: string;
  library: string;
  trigger: Trigger;
  concepts: Concept[];
  base_model: string;
  token_limit: number;
  training: number;
  regularization: number;
  rejected: number;
  revision: string;
  config: string;
  can_undo: string | null;
  can_redo: string | null;
  problems: string[];
}

/** A problem of one caption. */
export interface RowProblem {
  code: string;
  severity: Severity;
}

/** An image of a dataset; `file` is its name without the folder. Rows are immutable: a new one replaces it. */
export interface Row {
  key: string;
  set: ImageSet;
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

/** A page of a dataset's rows. */
export interface RowPage {
  total: number;
  revision: string;
  rows: Row[];
}

/** A tag of an image, and what it comes from. */
export interface SourceTag {
  text: string;
  source: string;
  confidence: number | null;
}

/** The caption that a source has for an image. */
export interface OfferedCaption {
  source: string;
  text: string;
}

/** A size in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** An edit of an image's caption in its history; `by` and `undone_by` are empty where that is not known. */
export interface PastEdit {
  label: string;
  at: string;
  by: string;
  undone: boolean;
  undone_by: string;
  before: string | null;
  after: string | null;
}

/** A stretch of a prompt without markup, and how sure it is that the image shows it. */
export interface PromptPart {
  text: string;
  certainty: Certainty;
}

/** An image with all that is known of it; `history` has the newest edit first. `prompt_parts` are in the order of the prompt, those that a graph may have used besides at the end. */
export interface RowDetails {
  key: string;
  set: ImageSet;
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
  prompt: string;
  prompt_parts: PromptPart[];
  tags: SourceTag[];
  offered: OfferedCaption[];
  bucket: Size | null;
  history: PastEdit[];
}

/** The fix of a problem in one caption: its text afterwards. */
export interface Fix {
  label: string;
  text: string;
}

/** A problem of a dataset, or of the image with this key. */
export interface Problem {
  severity: Severity;
  code: string;
  message: string;
  key: string | null;
  fix: Fix | null;
}

/** How many captions have a tag. */
export interface TagCount {
  tag: string;
  training: number;
  regularization: number;
}

/** A tag that completes what was typed; `count` is the number of captions of the open datasets that have it. */
export interface Completion {
  tag: string;
  alias: string;
  count: number;
}

/** A bucket and its images, with repeats. */
export interface BucketCount {
  width: number;
  height: number;
  count: number;
}

/** What an export would be; the steps are null if the trainer refuses the config. */
export interface Summary {
  training: number;
  regularization: number;
  rejected: number;
  buckets: BucketCount[];
  dropped: number;
  upscaled: number;
  steps_per_epoch: number | null;
  total_steps: number | null;
  seconds: number | null;
  problems: Problem[];
  checkpoints: string[];
}

export type OptionValue = string | number | boolean | string[] | null;

/** A training option. It counts for its `families` while other options have one of `values`, as text. `own` is a user's own, which no preset changes; a file is named as the dataset's options offer it. */
export interface TrainingOption {
  name: string;
  label: string;
  kind: OptionKind;
  group: string;
  help: string;
  unit: string;
  choices: Named[];
  families: string[];
  values: Record<string, string[]>;
  own: boolean;
}

/** A preset: values of all options that are not a user's own, and where they come from. */
export interface TrainingPreset {
  name: string;
  families: string[];
  source: string;
  values: Record<string, OptionValue>;
}

/** The table of training options in the order of its groups; `families` are those of the base models. */
export interface TrainingTable {
  options: TrainingOption[];
  families: Record<string, string>;
  presets: TrainingPreset[];
}

/** How an export is written; `images` is `copy`, `link` or a policy. */
export interface Writing {
  images: string;
  first_frame: boolean;
  keep_alpha: boolean;
  strip: boolean;
}

/** The training options that a dataset was last exported with, and how; `config` is that of its facts. `files` are the names that each option that is a file offers. */
export interface DatasetOptions {
  config: string;
  values: Record<string, OptionValue>;
  writing: Writing;
  files: Record<string, string[]>;
}

/** What speaks against training a checkpoint as one of the base model. */
export interface CheckpointProblem {
  severity: Severity;
  message: string;
}

/** The base model that is taken for a checkpoint: null where its file does not tell, a guess if others fit, too. */
export interface CheckpointFacts {
  base_model: string | null;
  is_guess: boolean;
  message: string;
  problems: CheckpointProblem[];
}

/** Why an option is refused; `name` is "" where several of them together are. */
export interface OptionFault {
  name: string;
  message: string;
}

/** What a trainer makes of training options. `used` is what is used where an option is not set, `lacks` what is done instead of one that the trainer has not. */
export interface OptionsCheck {
  used: Record<string, string>;
  lacks: Record<string, string>;
  faults: OptionFault[];
}

/** A change of one caption; null is an image without one. */
export interface Change {
  key: string;
  before: string | null;
  after: string | null;
}

/** The result of a write, with the rows that changed; `was` is the revision before it. */
export interface WriteResult {
  revision: string;
  was: string;
  label: string;
  can_undo: string | null;
  can_redo: string | null;
  rows: Row[];
}

/** What a bulk operation would do: its first changes, and how many captions stay because they would be empty. */
export interface Preview {
  count: number;
  label: string;
  emptied: number;
  examples: Change[];
}

/** A training run; `eta` is in seconds. Before it trains, `stage` has done `cached` images of `to_cache`. */
export interface Run {
  id: string;
  name: string;
  dataset: string | null;
  trainer: string;
  profile: string;
  state: RunState;
  step: number;
  total_steps: number;
  stage: string;
  cached: number;
  to_cache: number;
  epoch: number;
  loss: number | null;
  seconds_a_step: number | null;
  eta: number | null;
  message: string;
  started_at: string | null;
  ended_at: string | null;
  manifest_hash: string;
}

/** A run with its files; `history` has step, loss and learning rate. */
export interface RunDetails {
  id: string;
  name: string;
  dataset: string | null;
  trainer: string;
  profile: string;
  state: RunState;
  step: number;
  total_steps: number;
  stage: string;
  cached: number;
  to_cache: number;
  epoch: number;
  loss: number | null;
  seconds_a_step: number | null;
  eta: number | null;
  message: string;
  started_at: string | null;
  ended_at: string | null;
  manifest_hash: string;
  history: [number, number, number | null][];
  log: string;
  samples: string[];
  loras: string[];
}

/** The result of an export; `summary` has names and values. */
export interface ExportOutcome {
  folder: string;
  manifest_hash: string;
  summary: [string, string][];
  problems: Problem[];
}

/** The result of starting a training. */
export interface TrainingOutcome {
  run: string;
  manifest_hash: string;
}

/** A near-duplicate of the best image of its group; `identical` where both are the same file, byte for byte. */
export interface DuplicateImage {
  key: string;
  identical: boolean;
}

/** Images that are nearly the same, the best of them, and the others from the next best on. */
export interface DuplicateGroup {
  best: string;
  duplicates: DuplicateImage[];
}

/** The near-duplicates of a dataset; `problems` are images that could not be compared. */
export interface DuplicatesOutcome {
  groups: DuplicateGroup[];
  problems: Problem[];
}

/** The id of a job that was started. */
export interface JobStarted {
  job: string;
}

/** How far a job has come. */
export interface JobStatus {
  state: JobState;
  step: string;
  done: number;
  total: number;
  message: string;
}

export type JobResult = ExportOutcome | TrainingOutcome | DuplicatesOutcome | Run | null;

/** A job, with its result when it is done. */
export interface Job {
  state: JobState;
  step: string;
  done: number;
  total: number;
  message: string;
  result: JobResult;
}

/** A dataset was edited. `config` is there at first, and where it was changed other than by this server. */
export interface EditedEvent {
  kind: "edited";
  revision: string;
  config: string | null;
}

/** The names of the datasets in the list. */
export interface DatasetsEvent {
  kind: "datasets";
  names: string[];
}

/** A run has changed. */
export interface RunEvent {
  kind: "run";
  run: Run;
}

/** A job has changed. */
export interface JobEvent {
  state: JobState;
  step: string;
  done: number;
  total: number;
  message: string;
  kind: "job";
  job: string;
}

export type PanelEvent = EditedEvent | DatasetsEvent | RunEvent | JobEvent;

/** A stable code, and a message for the user. */
export interface ErrorDetails {
  code: string;
  message: string;
}

/** Any answer with a status of 400 or more. */
export interface ErrorResponse {
  error: ErrorDetails;
}

/** A caption that is not what the edit says it was: the present text, and its source. */
export interface Conflict {
  key: string;
  theirs: string | null;
  source: string;
}

/** The answer to an edit of captions that have changed meanwhile (409). */
export interface ConflictResponse {
  error: ErrorDetails;
  conflicts: Conflict[];
}
