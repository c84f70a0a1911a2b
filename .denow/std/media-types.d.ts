export function allExtensions(type: string): string[] | undefined;
export function typeByExtension(extension: string): string | undefined;
