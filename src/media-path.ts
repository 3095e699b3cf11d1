/** The path under which the gateway serves media; the rest is a name, which opens the file. */
export const MEDIA_PATH = '/media';
