/** An option of a command. */
export interface CommandOption {
  /** Stands for its value in help; an option without it is a switch. */
  readonly value?: string;
  /** Whether it may be given more than once. */
  readonly multiple?: true;
  /** What it does. */
  readonly help: string;
}

/** Which directory it is about. */
export const DIR_OPTION: CommandOption = {
  value: "DIR",
  help: "the cache's folder (media_cache)",
};

/** How entries are named without their URLs. */
export const KEY_OPTION: CommandOption = {
  value: "KEY",
  help: "an entry by its key, or by those digits that ls shows",
};

/** Whether URLs may be shown. */
export const URLS_OPTION: CommandOption = {
  help: "show URLs too; they may hold secrets",
};

/** Whether the output is for programs. */
export const JSON_OPTION: CommandOption = { help: "print JSON" };
