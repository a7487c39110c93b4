/**
 * Bounds of the state machine contract.
 *
 * @module
 */
import { MAX_FRAME_BYTES, MAX_KERNEL_CAUSAL_DEPS, MAX_OPS_BYTES } from '@lattice/model'

/** What the envelope needs beside a payload: two tags, a schema version and a length, rounded up. */
const ENVELOPE_BYTES = 32

/** Largest payload a command may submit: what is left of an intention's ops beside the envelope. */
export const MAX_PAYLOAD_BYTES: number = MAX_OPS_BYTES - ENVELOPE_BYTES

/** Largest encoded request or stream parameters: one frame, well above the largest payload. */
export const MAX_REQUEST_BYTES: number = MAX_FRAME_BYTES

/** Most intentions one write can cite: what a single AckOp holds. */
export const MAX_FOLDED_DEPS: number = MAX_KERNEL_CAUSAL_DEPS

/** Epochs that one epoch sets aside at most: more than a few are made by who does nothing else. */
export const MAX_SET_ASIDE = 64
