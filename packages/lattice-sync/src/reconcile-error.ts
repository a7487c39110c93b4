/**
 * Every way a peer's message is refused. Offsets count bytes from the start of the message.
 *
 * A refusal leaves the reconciler over: the peer is broken or hostile, and nothing of the message was used.
 *
 * @module
 */

/** Why a message was refused. */
export type ReconcileError =
  /** Longer than any message may be; nothing of it was read. */
  | { readonly code: 'message_too_long'; readonly length: number; readonly max: number }
  /** The first byte is no Negentropy version at all. */
  | { readonly code: 'not_negentropy'; readonly versionByte: number }
  /** The responder answered with the highest version it speaks, which is not ours. */
  | { readonly code: 'unsupported_version'; readonly version: number }
  /** The message ends inside a varint, a prefix or a fingerprint, or is empty. */
  | { readonly code: 'truncated'; readonly offset: number }
  /** A varint beyond 2^53 - 1. */
  | { readonly code: 'varint_overflow'; readonly offset: number }
  /** A varint with leading zeros. */
  | { readonly code: 'varint_not_minimal'; readonly offset: number }
  /** Timestamp deltas that add up to more than `MAX_TIMESTAMP`. */
  | { readonly code: 'timestamp_overflow'; readonly offset: number }
  /** A bound with more than 32 bytes of id. */
  | { readonly code: 'prefix_too_long'; readonly offset: number; readonly length: number }
  /** The end of the order carries part of an id. */
  | { readonly code: 'infinity_with_prefix'; readonly offset: number }
  /** A bound below the one before it. */
  | { readonly code: 'bound_backwards'; readonly offset: number }
  /** A range that starts at the end of the order and ends below it: bytes trail the message. */
  | { readonly code: 'range_after_infinity'; readonly offset: number }
  /** A range that is neither skip, fingerprint nor id list. */
  | { readonly code: 'bad_mode'; readonly offset: number; readonly mode: number }
  /** A list that announces more ids than there are bytes left. */
  | {
      readonly code: 'id_list_too_long'
      readonly offset: number
      readonly declared: number
      readonly available: number
    }
  /** The session has gone on longer than honest peers need. */
  | { readonly code: 'too_many_rounds'; readonly max: number }
  /** A message after the last one, or after a refused one. */
  | { readonly code: 'session_over' }
