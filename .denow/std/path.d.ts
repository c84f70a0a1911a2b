export function basename(path: string, suffix?: string): string;
export function dirname(path: string): string;
export function extname(path: string): string;
export function fromFileUrl(url: string | URL): string;
export function join(path: string, ...paths: string[]): string;
export function resolve(...pathSegments: string[]): string;
export function toFileUrl(path: string): URL;
