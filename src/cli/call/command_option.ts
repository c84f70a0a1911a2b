/** An option of a command. */
export interface CommandOption {
  /** Name of the value in the help; an option without it is a switch. */
  readonly value?: string;
  /** Whether the option may be given more than once. */
  readonly multiple?: true;
  /** Purpose of the option. */
  readonly help: string;
}

/** Names the cache's folder. */
export const DIR_OPTION: CommandOption = {
  value: "DIR",
  help: "the cache's folder (media_cache)",
};

/** Names entries without their URLs. */
export const KEY_OPTION: CommandOption = {
  value: "KEY",
  help: "an entry by its key, or by those digits that ls shows",
};

/** Whether URLs may be shown. */
export const URLS_OPTION: CommandOption = {
  help: "show URLs too; they may hold secrets",
};

/** Takes URLs as a bot does whose cache has `canonicalUrl: platforms()`. */
export const PLATFORMS_OPTION: CommandOption = {
  help: "take URLs as platforms() names them, without signatures",
};

/** Asks for output that programs read. */
export const JSON_OPTION: CommandOption = { help: "print JSON" };
