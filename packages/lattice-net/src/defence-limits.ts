/**
 * The bounds of what one peer may use of this node over time, and of what it may do wrong, each with its reason.
 *
 * Rates are well above what an honest peer of a fast link reaches with work that this node can do for it: they delay and do
 * not punish. Only who owes more than anything honest can is refused, and scored.
 *
 * @module
 */
import type { BucketRate } from './token-bucket.ts'

/**
 * Bytes of all streams: a gigabit link is slower than what comes back, so it is never held up. Beyond it the peer's streams
 * are not read.
 */
export const PEER_BYTES: BucketRate = { burst: 256 * 1024 * 1024, perSecond: 128 * 1024 * 1024 }

/**
 * Frames of all streams: several times the runs that a busy writer can commit, at some fifty microseconds each. Beyond it
 * the peer's streams are not read.
 */
export const PEER_MESSAGES: BucketRate = { burst: 32_768, perSecond: 8192 }

/** Streams opened: a thousand stores that differ at once take two seconds. Beyond it streams wait to be accepted. */
export const PEER_STREAMS: BucketRate = { burst: 1024, perSecond: 512 }

/**
 * Records and intentions asked of the log, by page, id or chain: twice what a first bootstrap of 100,000 asks for come at
 * once, and a longer one gets them faster than it can verify. Beyond it requests wait.
 */
export const PEER_LOG_READS: BucketRate = { burst: 524_288, perSecond: 65_536 }

/**
 * Ranges computed for a peer's comparisons: each fingerprint of a message may be answered by sixteen finer ones, each list by
 * one. Three
 * sessions with the differences of 10,000 scattered intentions each come at once; a peer that never stops gets a part of
 * this node's time. Beyond it comparisons wait.
 */
export const PEER_RANGES: BucketRate = { burst: 262_144, perSecond: 2048 }

/** Finer ranges by which one range is answered: the fan-out of the comparison. */
export const RANGES_PER_FINGERPRINT = 16

/** Ranges by which one message is answered at most: as many as fit it. Beyond it nothing more is computed. */
export const RANGES_PER_MESSAGE_MAX = 7168

/** Stores named in digest exchanges, and one for each exchange, which takes a look at every store. Beyond it they are refused. */
export const PEER_DIGESTS: BucketRate = { burst: 65_536, perSecond: 2048 }

/** What a digest exchange costs besides the stores that it names: this node hashes all that it shares. */
export const DIGEST_EXCHANGE_COST = 256

/**
 * Sessions opened to reconcile a store: each may have a frame of the log read before the peer has taken anything, so some
 * milliseconds each. Of a thousand stores that differ at once, half are compared at once and the others within seconds.
 * Beyond it streams wait to be accepted.
 */
export const PEER_SESSIONS: BucketRate = { burst: 512, perSecond: 128 }

/**
 * Messages announced or asked for by id, and stores told of in heartbeats: several times what a topic of 1,000 writers
 * brings. Beyond it they wait.
 */
export const PEER_ANNOUNCED_IDS: BucketRate = { burst: 65_536, perSecond: 8192 }

/** Invites tried: a person pastes a few, a guesser many, over however many connections. Beyond it they are refused. */
export const PEER_JOINS: BucketRate = { burst: 16, perSecond: 0.1 }

/** Connections that a peer makes: it may well lose some in a row, and backs off. Beyond it they are closed. */
export const PEER_CONNECTIONS: BucketRate = { burst: 64, perSecond: 1 }

/**
 * Bytes held in memory of a peer's that some store here knows, over all its streams: frames that are not whole yet, those
 * that wait to be taken in, and those that wait until the peer takes them. Its 32 streams, or the stores it shares, would
 * else each hold the most that one may, hundreds of MiB. The credit windows of the sessions that two nodes run at once, two
 * from each side, take half.
 * What the transport holds besides is its own bound, and what floats is the store's.
 * @beyond The session is refused with `LIMIT_EXCEEDED`, and the peer scored.
 */
export const PEER_HELD_BYTES: number = 32 * 1024 * 1024

/**
 * The same of a stranger's, whom no store here knows, and of what it was not asked for: keys cost nothing. The longest that
 * an honest one sends is a frame with the digests of the stores that it would share, of 1 MiB at most, since it has not heard
 * that they are not here any more. Beside it there is room for what it opens with sessions over two of these stores. What is
 * asked of a stranger, as of the inviter when this node joins, is bounded as that of others.
 * @beyond The session is refused with `LIMIT_EXCEEDED`, and the peer scored.
 */
export const STRANGER_HELD_BYTES: number = 1280 * 1024

/**
 * Longest debt of one kind that is waited for, within the step deadline of the other side. Sessions that an honest peer runs
 * at once stay below it; who owes more has many costly requests going at once.
 * @beyond The next request is refused with `LIMIT_EXCEEDED`, and scored.
 */
export const MAX_OWED_MS = 20_000

/** Score at which a peer is muted: nothing is served to it and nothing of it is taken in or passed on, until it decays. */
export const MUTE_SCORE = 50

/** Score at which a peer loses its connection and is shut out. */
export const SHUT_OUT_SCORE = 100

/** Time after which half of a score is forgiven: a peer that erred once is as good as new within the hour. */
export const SCORE_HALF_LIFE_MS: number = 10 * 60_000

/** Time without another after which one time of being shut out is forgotten: pauses grow for who goes on, not for ever. */
export const SHUT_OUT_FORGOTTEN_MS: number = 60 * 60_000
