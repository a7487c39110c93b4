/**
 * The bounds of the network, each with its reason.
 *
 * What a peer can cost follows from these alone: frames per stream, streams per connection, connections per node, and
 * how long any of them may stand still.
 *
 * @module
 */

/** Version of every protocol spoken here; the first frame of a stream names it. */
export const PROTOCOL_VERSION = 1

/** Fields of one frame at most: ids and intentions take more bytes than this allows, so only hostile frames are over. */
export const MAX_FRAME_FIELDS = 40_000

/** Payload after which a frame of intentions is sent: small enough to keep a slow link responsive, one of any size fits. */
export const INTENTIONS_FRAME_BYTES: number = 256 * 1024

/** Intentions sent ahead of the receiver's credit: some frames of ordinary writes, so that a round trip costs no pause. */
export const CREDIT_WINDOW = 2048

/** Ids looked up at once when a difference is read from the log: bounds the time of one step. */
export const READ_SLICE_IDS = 2048

/** Ids of one `Want` frame: about a quarter of a frame. */
export const WANT_IDS_MAX = 8192

/** Ids one session transfers in each direction. A larger difference takes several sessions, each smaller than the last. */
export const MAX_DIFFERENCE_IDS = 131_072

/** Ids remembered per connection and store as sent unasked: what a peer lets float; more of it is sent again. */
export const MAX_UNASKED_IDS = 8192

/** Invalid intentions of one session after which it ends: an honest peer sends none, since it verified them itself. */
export const MAX_INVALID_PER_SESSION = 16

/** Stores in one digest exchange: their digests fit one frame. */
export const MAX_DIGEST_STORES = 8192

/** Addresses believed of one peer: a few interfaces, each in two notations. */
export const MAX_ADDRESSES = 16

/** Longest address: a DNS name, a port and a notation. */
export const MAX_ADDRESS_LENGTH = 512

/** Times one dial begins anew for what is found: a peer announces itself once or twice, whoever forges hints more often. */
export const MAX_DIAL_RESTARTS = 2

/** How long a dial waits at least for the peer to be found: a question on the LAN is answered well within it. */
export const FIND_WITHIN_MS = 2_000

/** Dials hurried in a row as a wanted peer is found: one that restarts needs two or three until a connection lasts. */
export const HURRIED_DIALS = 3

/** One more after each: what a flood of hints costs is six dials a minute for each peer that is wanted and away. */
export const HURRIED_DIAL_EVERY_MS = 10_000

/** How often the transport is asked whether this node moved: no platform tells of it in a way that all transports share. */
export const OWN_ADDRESSES_EVERY_MS = 3_000

/** Bytes of the nonce that blinds store ids. */
export const DIGEST_NONCE_BYTES = 16

/** Bytes of a blinded store id. */
export const BLINDED_ID_BYTES = 16

/** Records of one witness page: about 150 bytes each, well within a frame. */
export const WITNESS_PAGE_RECORDS = 1024

/**
 * Records of a page at most: a page ends with a signed record, so it takes as many as its last commit group has. At some
 * 130 bytes each they fit a frame.
 */
export const WITNESS_PAGE_RECORDS_MAX = 6144

/** Ids of one `FetchIntentions`. */
export const FETCH_IDS_MAX = 1024

/** Intentions of one answer to `FetchChain`: four runs. */
export const FETCH_CHAIN_MAX = 1024

/** Bytes of a token's secret. */
export const JOIN_SECRET_BYTES = 32

/** Longest name a joiner may give itself, in UTF-16 units. */
export const MAX_NAME_LENGTH = 256

/** Peers an inviter may name for the bootstrap. */
export const MAX_JOIN_PEERS = 64

/** Calls to the store a session may have waiting: beyond it the stream is not read, and the peer's transport slows down. */
export const MAX_WAITING_CALLS = 4

/** Frames a session may have waiting to be written, beyond which the stream is not read. */
export const MAX_WAITING_FRAMES = 64

/** Pushes on their way without a result, per peer: fills a link with ordinary latency. */
export const PUSH_WINDOW = 16

/** Pushes waiting per peer beyond the window; past it the stores concerned are reconciled instead. */
export const PUSH_QUEUE_FRAMES = 256

/** Bytes waiting per peer; past it the stores concerned are reconciled instead. */
export const PUSH_QUEUE_BYTES: number = 4 * 1024 * 1024

/** Events kept for a slow subscriber before it is told that it lagged. */
export const EVENT_CAPACITY = 1024

/** Peers remembered as seen, or as misbehaving: the oldest are forgotten first. */
export const MAX_KNOWN_PEERS = 4096

/** Invalid items after which a peer loses its connection: sent over several sessions, they are no accident. */
export const MAX_INVALID_PER_CONNECTION = 64

/** Failures of sessions remembered, one per peer and store: those of a mesh with many stores, the oldest forgotten first. */
export const MAX_REMEMBERED_FAILURES = 1024

/** Tokens one connection may try: a person pastes a few, a guesser many. */
export const MAX_JOINS_PER_CONNECTION = 8

/** Streams turned away at once with a word; beyond them without one. */
export const MAX_TURNED_AWAY = 8

/** A connection that lasted this long was a good one: the next dial is not held back for it. */
export const STABLE_CONNECTION_MS = 10_000

/** Attempts of a session that meets the peer's own of the same kind. */
export const MAX_BUSY_ATTEMPTS = 4

/** What a service is tuned by. Times in milliseconds. */
export interface NetworkLimits {
  /** Longest time without a whole frame while one is due. */
  readonly stepDeadlineMs: number
  /** Longest session of any kind that is not meant to last; the next one goes on by difference. */
  readonly sessionDeadlineMs: number
  /** How long the peer may take to end its side after the exchange is over. */
  readonly lingerMs: number
  /** Longest dial. */
  readonly dialDeadlineMs: number
  /** First pause between dials; doubles up to `dialBackoffMaxMs`, half of it random. */
  readonly dialBackoffMs: number
  readonly dialBackoffMaxMs: number
  /** A second connection the other way is settled by the keys within this age of the first; later it replaces it. */
  readonly simultaneousDialMs: number
  /** How long the first is waited for to show that it lives, before the second takes its place after all. */
  readonly signOfLifeMs: number
  /** A connection that shares no store and has no stream open ends after this. */
  readonly strangerIdleMs: number
  /** Streams a peer may have open on a connection. */
  readonly streamsPerConnection: number
  /** Connections at once: more than a mesh has peers. */
  readonly connections: number
  /** Reconcile sessions started here at once, in all and with one peer: a stalled peer holds up its own only. */
  readonly sessions: number
  readonly sessionsPerPeer: number
  /** Pause before a gap is healed: lets what is in flight arrive. */
  readonly gapDelayMs: number
  /** Pause before differing digests are looked into. */
  readonly differDelayMs: number
  /** First pause before a session that ended in difference or failed is repeated; doubles up to `retryMaxMs`. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** First time a misbehaving peer is shut out; doubles with each repetition up to `muteMaxMs`. */
  readonly muteMs: number
  readonly muteMaxMs: number
}

export const DEFAULT_LIMITS: NetworkLimits = {
  stepDeadlineMs: 30_000,
  sessionDeadlineMs: 15 * 60_000,
  lingerMs: 5_000,
  dialDeadlineMs: 10_000,
  dialBackoffMs: 500,
  dialBackoffMaxMs: 60_000,
  simultaneousDialMs: 15_000,
  signOfLifeMs: 1_500,
  strangerIdleMs: 60_000,
  streamsPerConnection: 32,
  connections: 256,
  sessions: 8,
  sessionsPerPeer: 2,
  gapDelayMs: 200,
  differDelayMs: 1_000,
  retryMs: 2_000,
  retryMaxMs: 120_000,
  muteMs: 10_000,
  muteMaxMs: 3_600_000,
}
