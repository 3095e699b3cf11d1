/** Every bound on what comes from outside, in one place. SECURITY.md lists them; a test holds its table to these. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

/** The body of a request. */
export const MAX_REQUEST_BYTES = 4 * MIB;
export const REQUEST_BODY_TIMEOUT_MS = MINUTE_MS;
/** The Authorization header; longer ones are refused unread. */
export const MAX_AUTHORIZATION_CHARACTERS = 4 * KIB;
/** The method, id and progress token of a message, which responses and notifications repeat. */
export const MAX_IDENTIFIER_CHARACTERS = KIB;
/** How deep arrays and objects may stand in each other: in requests, in the JSON of a model's text, and in `usage`. */
export const MAX_NESTING = 64;
/** The arguments of one call: items of an array, names of an object, and values altogether. */
export const MAX_ARRAY_ITEMS = 2_000;
export const MAX_OBJECT_NAMES = 2_000;
export const MAX_ARGUMENT_VALUES = 20_000;
/** What is said of wrong arguments. */
export const MAX_PROBLEMS = 10;
export const MAX_PROBLEM_CHARACTERS = 300;
/** A name from outside, such as that of a tool or an argument, where it is repeated. */
export const MAX_NAME_CHARACTERS = 64;
/** A path from outside, where it is repeated. */
export const MAX_PATH_CHARACTERS = 256;
/** The end of a model's text so far, in one progress message. */
export const MAX_PROGRESS_CHARACTERS = 1_000;
/** Any other text from outside, in results and in the log. */
export const MAX_OUTSIDE_TEXT_CHARACTERS = 8_000;

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

/** One request to the object store. */
export const STORAGE_ATTEMPT_TIMEOUT_MS = MINUTE_MS;
/** How long media that cannot be made again is tried to be stored. */
export const STORAGE_RETRY_MS = 5 * MINUTE_MS;
