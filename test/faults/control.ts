/** The header with the environment, as JSON, of the gateway that a request is for. */
export const ENVIRONMENT_HEADER = 'x-environment';

/** Where that gateway's clock and log are. */
export const CLOCK_PATH = '/_control/clock';
export const LOG_PATH = '/_control/log';
