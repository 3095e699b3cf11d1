import { installPackages } from '../../install.ts';

/** Installs the clients, unless they are there. */
export default () => installPackages(new URL('.', import.meta.url));
