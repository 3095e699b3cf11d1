/** Every bound on what comes from outside, in one place. SECURITY.md lists them; a test holds its table to these. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

/** How long an upstream may take for one response, body included. */
export const UPSTREAM_TIMEOUT_MS = 10 * MINUTE_MS;
/** What each minute of waiting for a body must bring; less is a stall. */
export const MIN_BODY_BYTES_PER_MINUTE = 16 * KIB;

/** What is read of an upstream's error. */
export const MAX_ERROR_BODY_BYTES = 64 * KIB;
export const ERROR_BODY_TIMEOUT_MS = 5 * SECOND_MS;
export const MAX_CHAT_BODY_BYTES = 16 * MIB;
export const MAX_MODELS_BODY_BYTES = 4 * MIB;
/** A video job as JSON. */
export const MAX_VIDEO_JOB_BYTES = MIB;
/** One image, decoded. */
export const MAX_IMAGE_BYTES = 32 * MIB;
/** A response with images, without the images. */
export const MAX_IMAGE_TEXT_BYTES = MIB;
/** The longest speech there can be: 4,096 characters at a quarter of the speed, as WAV, is about 60 MB. */
export const MAX_AUDIO_BYTES = 256 * MIB;
export const MAX_VIDEO_BYTES = 8 * KIB * MIB;
/** A thumbnail or a spritesheet. */
export const MAX_VIDEO_IMAGE_BYTES = 20 * MIB;
/** An image that a caller names by its URL. */
export const MAX_INPUT_IMAGE_BYTES = 20 * MIB;
export const INPUT_IMAGE_TIMEOUT_MS = 30 * SECOND_MS;
/** An image that an upstream names by its URL. */
export const IMAGE_DOWNLOAD_TIMEOUT_MS = MINUTE_MS;

/** What is parsed out of a model's text for `json`, and passed on of `usage`: levels of nesting. */
export const MAX_NESTING = 64;

/** One request to the object store. */
export const STORAGE_ATTEMPT_TIMEOUT_MS = MINUTE_MS;
/** How long media that cannot be made again is tried to be stored. */
export const STORAGE_RETRY_MS = 5 * MINUTE_MS;
