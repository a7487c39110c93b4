/**
 * The bounds of the network, each with its reason.
 *
 * What a peer can cost follows from these alone: frames per stream, streams per connection, connections per node, and
 * how long any of them may stand still.
 *
 * @module
 */
import { CONNECT_TIMEOUT_MS, KEPT_CONNECTIONS } from '@lattice/net-types'

/**
 * Fields of one frame at most: ids and intentions take more bytes than this allows, so only hostile frames are over.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_FRAME_FIELDS = 40_000

/**
 * Payload after which a frame of intentions is sent: small enough to keep a slow link responsive, one of any size fits.
 * @beyond What follows goes in another frame.
 */
export const INTENTIONS_FRAME_BYTES: number = 256 * 1024

/**
 * Intentions sent ahead of the receiver's credit: what its records of them cost is bounded too, not their bytes alone.
 * @beyond A peer that sends more breaks the protocol.
 */
export const CREDIT_WINDOW = 8192

/**
 * Bytes of intentions and signatures sent ahead of the receiver's credit: what a session holds of a peer's at once. Some
 * frames, so that a round trip of a tenth of a second costs no pause at 40 MB/s.
 * @beyond A peer that sends more breaks the protocol.
 */
export const CREDIT_WINDOW_BYTES: number = 4 * 1024 * 1024

/**
 * Ids looked up at once, when a difference is read from the log or asked for: bounds the time of one step.
 * @beyond The rest is read in the next step.
 */
export const READ_SLICE_IDS = 2048

/**
 * Ids of one `Want` frame: about a quarter of a frame.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const WANT_IDS_MAX = 8192

/**
 * Ids one session transfers in each direction. A larger difference takes several sessions, each smaller than the last.
 * @beyond The session ends with a part; the next takes the rest.
 */
export const MAX_DIFFERENCE_IDS = 131_072

/**
 * Intentions one session sends by spans of chains. They cost no lists of ids, so it is more than a difference by ids has;
 * after so many both sides say where they are.
 * @beyond The session ends with a part; the next takes the rest.
 */
export const MAX_SPAN_INTENTIONS = 1_048_576

/**
 * Bytes one session sends in each direction: a slow link is through with it within the deadline of a session or so.
 * @beyond The session ends with a part; the next takes the rest.
 */
export const MAX_SESSION_BYTES: number = 1024 * 1024 * 1024

/**
 * Bytes of one message of reconciliation: some 6,900 ranges or 4,000 ids. A range costs some questions to the index, and
 * fifty when it is answered by sixteen finer ones; a session waits for its answer, and with ten thousand differences it takes
 * three round trips more than with frames of full size.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const RECONCILE_MESSAGE_BYTES: number = 128 * 1024

/**
 * Bytes of such messages that one session takes: a difference of as many ids as it has, both ways, is 96 bytes for each at
 * most, with the fingerprints above it, and so 25 MiB. What is computed for a peer is in proportion.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_RECONCILE_BYTES: number = 64 * 1024 * 1024

/**
 * Such messages in one session: those bytes in messages of a third of their size, on average.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_RECONCILE_ROUNDS = 1536

/**
 * Work on an answer within one turn of the event loop, in questions to the index (a rank, a sum, 32 items): each may read a
 * node of it, so that a turn takes some 5 ms where nothing is cached, and one where most is. The rest of
 * the answer is made in further turns.
 */
export const RECONCILE_TURN_WORK = 128

/**
 * Own ids found to be lacking at the peer in one session, with those found again: it ends by itself once there are as many
 * different ones as a session transfers, and few are found twice.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_RECONCILE_FOUND: number = 2 * MAX_DIFFERENCE_IDS

/**
 * Authors in a tip map: with 76 bytes each it fits, with the rest of a `Hello`, what a new QUIC connection may send in its
 * first round trip. A store with more is compared by ranges, which cost about as much then.
 * @beyond The store is compared by ranges; a longer map breaks the protocol.
 */
export const MAX_TIP_AUTHORS = 128

/**
 * Ids remembered per connection and store as sent unasked: what a peer lets float.
 * @beyond It is sent again.
 */
export const MAX_UNASKED_IDS = 8192

/**
 * Invalid intentions of one session after which it ends: an honest peer sends none, since it verified them itself.
 * @beyond The session ends; each item is scored.
 */
export const MAX_INVALID_PER_SESSION = 16

/**
 * Stores in one digest exchange: their digests fit one frame.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_DIGEST_STORES = 8192

/**
 * Stores that this side names in one: with the base of each, 133 bytes for a store fit the frame.
 * @beyond Heartbeats tell of the rest, as soon as the exchange is over.
 */
export const DIGEST_STORES_TOLD = 7168

/**
 * Addresses believed of one peer: a few interfaces, each in two notations.
 * @beyond The rest is not believed.
 */
export const MAX_ADDRESSES = 16

/**
 * Longest address: a DNS name, a port and a notation.
 * @beyond The address is not believed.
 */
export const MAX_ADDRESS_LENGTH = 512

/**
 * Times one dial begins anew for what is found: a peer announces itself once or twice, whoever forges hints more often.
 * @beyond The attempt goes on with what it was given; what was found since is for the next dial.
 */
export const MAX_DIAL_RESTARTS = 2

/** How long a dial waits at least for the peer to be found: a question on the LAN is answered well within it. */
export const FIND_WITHIN_MS = 2_000

/**
 * Dials hurried in a row as a wanted peer is found: one that restarts needs two or three until a connection lasts.
 * @beyond The dial waits out its pause.
 */
export const HURRIED_DIALS = 3

/** One more after each: what a flood of hints costs is six dials a minute for each peer that is wanted and away. */
export const HURRIED_DIAL_EVERY_MS = 10_000

/** How often the transport is asked whether this node moved: no platform tells of it in a way that all transports share. */
export const OWN_ADDRESSES_EVERY_MS = 3_000

/**
 * Bytes of the nonce that blinds store ids.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const DIGEST_NONCE_BYTES = 16

/**
 * Bytes of a blinded store id.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const BLINDED_ID_BYTES = 16

/** Records of one witness page: about 150 bytes each, well within a frame. */
export const WITNESS_PAGE_RECORDS = 1024

/**
 * Records of the longest page that is given to who asks for it: half a frame.
 * @beyond The page has this many.
 */
export const WITNESS_PAGE_RECORDS_LONG = 4096

/**
 * Records of a page at most: a page ends with a signed record, so it takes as many as its last commit group has. At some
 * 130 bytes each they fit a frame.
 * @beyond The bootstrap ends and counts against the peer.
 */
export const WITNESS_PAGE_RECORDS_MAX = 6144

/**
 * Topics of earlier epochs on which a node listens while the present one is not settled, for each circle of peers. Epochs
 * are few, and who is several behind is brought up by sessions.
 * @beyond The oldest is listened on no more.
 */
export const MAX_PAST_TOPICS = 4

/**
 * Ends of chains named by who asks what removed it: of about as many authors an epoch can join the frontier.
 * @beyond The rest is not named, and comes again. A request with more breaks the protocol.
 */
export const REVOCATION_KNOWN_MAX = 4096

/**
 * Peers that one request of a removed peer names to have admitted it again.
 * @beyond The rest is not named. A request with more breaks the protocol.
 */
export const REVOCATION_ADMITTED_BY_MAX = 16

/**
 * Epochs named as what removed a peer. Each is by another admin at about the same time; the first shows as much as all. Of what
 * else decides about a peer the latest are named, which have the others in their past.
 * @beyond The rest is not named. An answer with more breaks the protocol.
 */
export const MAX_REVOKING_EPOCHS = 16

/**
 * Between two comparisons with a peer that takes no part in a circle that it should be in. Who was removed learns of it
 * within that time over a connection that lasts; between two sides that stay apart it costs one exchange of digests.
 * @beyond What it answers of the circle meanwhile has nothing compared.
 */
export const DOUBT_PAUSE_MS: number = 30_000

/**
 * After a foundation that was to show that this node was removed and did not: checking one costs up to its whole size, and
 * who knew no better is told by others meanwhile. So after a peer that says it was admitted again had nothing new to show for it.
 * @beyond None is taken from that peer before, whatever it says of the store.
 */
export const REMOVAL_PROOF_PAUSE_MS: number = 10 * 60_000

/**
 * After one that was cut short on its way: a connection that was lost is there again by then, and to begin one in vain costs
 * a bounded share of this node. So after one that had something new.
 * @beyond As above.
 */
export const REMOVAL_PROOF_LOST_MS = 30_000

/**
 * Peers and stores of which that is remembered: each was a peer of the store once.
 * @beyond The oldest is forgotten, and may show one again.
 */
export const REMOVAL_PROOF_PAUSES_MAX = 1024

/**
 * Ids of one `FetchIntentions`.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const FETCH_IDS_MAX = 1024

/**
 * Requests of a log that may wait behind the one being answered: as many as hide a round trip, and small.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const LOG_REQUESTS_AHEAD = 4

/**
 * Requests a bootstrap has open with one peer: the next is there when the peer has answered one.
 * @beyond The next request waits for an answer.
 */
export const BOOTSTRAP_REQUESTS_OPEN = 2

/**
 * Peers a bootstrap fetches from at once: each holds frames in memory, and a few fill any link.
 * @beyond The others wait until one of these is lost.
 */
export const BOOTSTRAP_PEERS = 4

/**
 * Pages pulled ahead of their intentions, and lacking intentions named by them beyond which no more is pulled.
 * @beyond No more is pulled until there is room.
 */
export const BOOTSTRAP_PAGES_AHEAD = 8
export const BOOTSTRAP_IDS_AHEAD = 4096

/**
 * Bytes of intentions that wait for those before them: twice what all peers may be asked for at once.
 * @beyond The latest are dropped and fetched again.
 */
export const BOOTSTRAP_HELD_BYTES: number = 16 * 1024 * 1024

/**
 * Intentions and bytes a bootstrap hands to the store at once: what it commits at once, and less than a second's work.
 * @beyond The rest is handed over next.
 */
export const BOOTSTRAP_UNIT_IDS = 2048
export const BOOTSTRAP_UNIT_BYTES: number = 1024 * 1024

/**
 * Of these so many are on their way to the store: it verifies one while it witnesses the one before.
 * @beyond The next is handed over once one is done.
 */
export const BOOTSTRAP_UNITS_OPEN = 2

/**
 * Ids a bootstrap asks of a peer at once: few for one that is slow or unknown, more while answers come fast.
 * @beyond The rest is asked of it next, or of others.
 */
export const BOOTSTRAP_SHARE_MIN = 32
export const BOOTSTRAP_SHARE_MAX = 512

/** Bytes an answer is to have, as far as those before it tell: what is lost with a peer, or waits for a slow one. */
export const BOOTSTRAP_SHARE_BYTES: number = 1024 * 1024

/**
 * Intentions whose causes the log did not name before them, after which it is no log of an honest node.
 * @beyond The bootstrap ends and counts against the peer.
 */
export const BOOTSTRAP_UNCAUSED_MAX = 1024

/** Intentions of a log that may float here, so that its length does not show: as many as a store lets float. */
export const BOOTSTRAP_FLOATING_MAX = 65_536

/**
 * Bytes of a page of a foundation or of a snapshot: as of other frames, and what a slow link moves within a second or so.
 * @beyond The rest goes in another page; one row that is larger comes alone.
 */
export const SNAPSHOT_PAGE_BYTES: number = 256 * 1024

/**
 * Bytes of one part of a row that does not fit a frame: half of one. Each part is sent as the one before is on its way.
 * @beyond The rest follows in further parts.
 */
export const SNAPSHOT_PART_BYTES: number = 512 * 1024

/**
 * Longest row that is taken in parts: within what a peer may have held here.
 * @beyond The fetch ends and counts against the peer.
 */
export const SNAPSHOT_ROW_BYTES_MAX: number = 24 * 1024 * 1024

/** Rows of a page at most: what a store takes in within a turn. */
export const SNAPSHOT_PAGE_ROWS_MAX = 512

/**
 * Items of one page of a foundation: at some tens of bytes each far more than fit it.
 * @beyond The fetch ends and counts against the peer.
 */
export const FOUNDATION_PAGE_ITEMS_MAX = 8192

/**
 * Pages of a snapshot that one outline names: what several peers are asked for at once, and 8 MiB of it wait for those
 * before them at most.
 * @beyond The next outline names the rest. A longer one breaks the protocol.
 */
export const OUTLINE_PAGES = 32

/** Requests of a snapshot that are open with one peer: the next is there when the peer has answered one. */
export const SNAPSHOT_REQUESTS_OPEN = 2

/**
 * Times that a fetch begins anew because what it fetched is served no more: nodes cut their history once in days.
 * @beyond The fetch has failed, and is tried again later.
 */
export const SNAPSHOT_RESTARTS_MAX = 4

/**
 * Pages whose senders are remembered, so that whoever sent a wrong one can be told from the others: 16 GiB of state.
 * @beyond What is wrong in later ones is found out, and by whom not.
 */
export const SNAPSHOT_TRACED_PAGES_MAX = 65_536

/**
 * Times that a peer which was lost is connected again for the same bootstrap.
 * @beyond The bootstrap goes on with the other peers; without any it has failed, and is tried again later.
 */
export const BOOTSTRAP_RETURNS = 4
/** First pause before a lost peer is connected again for the same bootstrap; it doubles. */
export const BOOTSTRAP_RETURN_MS = 1_000

/**
 * Intentions of one answer to `FetchChain`: four runs.
 * @beyond The answer has this many.
 */
export const FETCH_CHAIN_MAX = 1024

/**
 * Causes that are looked for at once, per store; more is a difference for a session.
 * @beyond A session takes the difference.
 */
export const GAP_IDS_MAX = 512

/**
 * Ids of one request for causes, within those of a `FetchIntentions`.
 * @beyond The rest goes in another request.
 */
export const GAP_FETCH_IDS = 256

/**
 * Times that what was fetched may lack causes in its turn: beyond it a session finds the difference at once.
 * @beyond A session takes the difference; counts against the sender.
 */
export const GAP_ROUNDS_MAX = 8

/**
 * Requests until nothing is lacking: a few peers for a few chains; beyond it a session costs less.
 * @beyond A session takes the difference.
 */
export const GAP_FETCHES_MAX = 32

/**
 * Senders of one intention that are remembered, and others that are asked after them.
 * @beyond No more are asked; a session takes the difference.
 */
export const GAP_SOURCES_MAX = 4

/**
 * Causes nobody had that are remembered, per store, so that they are not looked for anew with each arrival.
 * @beyond The oldest is forgotten.
 */
export const GAP_GIVEN_UP_MAX = 1024

/**
 * Longest answer to a request for causes: then another peer is asked.
 * @beyond Another peer is asked.
 */
export const GAP_FETCH_MS = 5_000

/**
 * Bytes of a token's secret.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const JOIN_SECRET_BYTES = 32

/**
 * Longest name a joiner may give itself, in UTF-16 units.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_NAME_LENGTH = 256

/**
 * Peers an inviter may name for the bootstrap.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_JOIN_PEERS = 64

/**
 * Calls to the store a session may have waiting: beyond it the stream is not read, and the peer's transport slows down.
 * @beyond The rest waits: the stream is not read until there is room.
 */
export const MAX_WAITING_CALLS = 4

/**
 * Frames a session may have waiting to be written, beyond which the stream is not read.
 * @beyond The rest waits: the stream is not read until there is room.
 */
export const MAX_WAITING_FRAMES = 64

/**
 * Bytes of frames that are written at once: many small ones, or one large.
 * @beyond The rest goes in another write.
 */
export const WRITE_BATCH_BYTES: number = 64 * 1024

/**
 * Bytes of a run that is announced: what a slow link moves within a step's deadline. Larger ones are reconciled.
 * @beyond The stores concerned are reconciled instead.
 */
export const ANNOUNCED_RUN_BYTES: number = 1024 * 1024

/**
 * Runs on their way without a result, per peer: fills a link with ordinary latency.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const PUSH_WINDOW = 16

/** Runs waiting per peer beyond the window; past it the stores concerned are reconciled instead. */
export const PUSH_QUEUE_FRAMES = 256

/** Bytes waiting per peer; past it the stores concerned are reconciled instead. */
export const PUSH_QUEUE_BYTES: number = 4 * 1024 * 1024

/**
 * Neighbours a node keeps in a topic: with 5, 1,000 nodes stay connected when most of them vanish at once (HyParView).
 * @beyond A random one makes room for who asks.
 */
export const ACTIVE_VIEW = 5

/**
 * Peers kept as replacements: six times the active view, so that some are alive after most have gone (HyParView).
 * @beyond A random one makes room.
 */
export const PASSIVE_VIEW = 30

/**
 * Hops of a walk through the overlay at most: as many as reach any of 1,000 nodes from any other (HyParView: ARWL).
 * @beyond A walk of more hops breaks the protocol.
 */
export const ACTIVE_WALK = 6

/** Hops left at which a newcomer is noted as a replacement on its walk (HyParView: PRWL). */
export const PASSIVE_WALK = 3

/** Peers of the active and of the passive view in one shuffle (HyParView: ka and kp). */
export const SHUFFLE_ACTIVE = 3
export const SHUFFLE_PASSIVE = 4

/**
 * Peers one shuffle names: the above and its origin.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const SHUFFLE_SAMPLE_MAX: number = 1 + SHUFFLE_ACTIVE + SHUFFLE_PASSIVE

/**
 * Shuffles whose way back is remembered: several times those that pass a node between two ticks.
 * @beyond The oldest is forgotten: the answer to that shuffle goes nowhere.
 */
export const SHUFFLE_TRAILS = 64

/**
 * Walks a node takes part in between two ticks: ten times what 1,000 nodes cause that start at once. More are dropped.
 * @beyond The walk is dropped.
 */
export const WALKS_PER_TICK = 256

/**
 * Peers asked to become neighbours at once: refilling an empty view, and as many that walks ended with.
 * @beyond Nobody else is asked until one of these has ended.
 */
export const NEIGHBOR_REQUESTS: number = 2 * ACTIVE_VIEW

/**
 * Ticks a neighbour request may stand without an answer: a dial and a slow round trip take less.
 * @beyond The peer is taken for gone, and another is asked.
 */
export const NEIGHBOR_REQUEST_TICKS = 2

/**
 * Ticks a peer rests after it refused to become a neighbour; doubles with each refusal in a row. Whoever gets room asks by
 * itself, so that the longest may be some twenty minutes.
 */
export const REFUSAL_REST_TICKS = 8
export const REFUSAL_REST_TICKS_MAX = 256

/** Ticks within which a peer whose shuffle came by counts as part of the same overlay: five of its shuffles. */
export const HEARD_TICKS = 15

/**
 * Such peers remembered: all of a circle of some dozens; in a larger one somebody is always unheard of.
 * @beyond The oldest is forgotten.
 */
export const HEARD_ORIGINS = 64

/** Connected holders of a store below which more are looked for: with two each, random holders mostly form one graph. */
export const SPARSE_HOLDERS = 2

/**
 * Connections of a node for the sake of such stores, whatever their number: about as many again as it has neighbours.
 * @beyond No more are looked for.
 */
export const EXTRA_HOLDERS_MAX = 8

/**
 * Reviews for which such a connection may be of no use: half a minute to dial, and to say what is held.
 * @beyond The connection is let go, and another holder is looked for.
 */
export const EXTRA_HOLDER_REVIEWS = 6

/**
 * Neighbours a full node lets go between two ticks for others that ask or join: whoever asks more cannot empty its view.
 * @beyond The peer is refused as a neighbour, and kept as a replacement.
 */
export const FORCED_PER_TICK: number = 2 * ACTIVE_VIEW

/** A full node swaps a neighbour for a random peer once in so many ticks: joins what a partition has set apart. */
export const MIX_TICKS = 30

/**
 * Bytes of a run that is broadcast in full; a larger one is announced and fetched, so that it travels each link once.
 * @beyond The run is announced, and fetched by who wants it.
 */
export const GOSSIP_INLINE_BYTES: number = 16 * 1024

/**
 * Stores of one heartbeat, 75 bytes each: far below a frame, so that it never holds up what follows.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const HEARTBEAT_STORES_MAX = 1024

/** Such swaps in a whole topic between two ticks, on average: enough to join halves at once, few enough not to cost trees. */
export const MIXES_PER_TICK = 4

/** Ticks between two shuffles of a node: who belongs to a topic is known from data, a shuffle only tells who is alive. */
export const SHUFFLE_TICKS = 3

/**
 * Ids a topic remembers as broadcast: a minute of 100 a second, longer than a copy is on its way. Of older ones the store knows.
 * @beyond The oldest is forgotten.
 */
export const SEEN_IDS = 8192

/**
 * Messages kept to answer grafts, in number and bytes: the last seconds of a busy topic.
 * @beyond The oldest is let go; with who asks for it the store is reconciled.
 */
export const TREE_CACHE_MESSAGES = 1024
export const TREE_CACHE_BYTES: number = 4 * 1024 * 1024

/**
 * Times one neighbour is sent a message: along the tree, and once more when it asks for what it had no room to take.
 * @beyond It is not sent again.
 */
export const SENDS_PER_NEIGHBOR = 2

/**
 * Messages whose verification is awaited: what six neighbours may have on their way.
 * @beyond The message waits as one that was announced.
 */
export const PENDING_MESSAGES = 96

/**
 * Announced ids that are waited for, per neighbour that announced them first. Beyond, the store is reconciled.
 * @beyond The stores concerned are reconciled instead.
 */
export const MISSING_PER_NEIGHBOR = 256

/**
 * Holders remembered of a message that is waited for: one for each neighbour, and some that have gone.
 * @beyond Whoever else holds it is not remembered.
 */
export const ANNOUNCERS_MAX = 8

/**
 * Ids of one `IHave`, and of one `Graft`.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const IHAVE_IDS_MAX = 512
export const GRAFT_IDS_MAX = 64

/** Messages announced to a new neighbour: those of the moments in which it may have been between two neighbours. */
export const RECENT_IDS = 32

/**
 * Hops a message counts at most: paths of a random overlay of 5 neighbours are far shorter.
 * @beyond The count stays at this.
 */
export const MAX_ROUND = 255

/** Hops by which a path must be shorter to take the place of the tree's (PlumTree: optimisation threshold). */
export const OPTIMIZE_HOPS = 3

/** Messages between two such changes at one node: keeps the paths of several writers from taking turns. */
export const OPTIMIZE_EVERY = 8

/**
 * Notes on their way without an answer, per peer: they are small, and answered at once. Kept by the sender.
 * @beyond The note waits in the sender's queue.
 */
export const NOTE_WINDOW = 64

/** Notes waiting per peer beyond the window: some of each of thousands of circles. Past it the stream begins anew. */
export const NOTE_QUEUE_FRAMES = 16_384

/**
 * Gossip streams a peer may have on a connection: one, and one that it does not know yet to have ended.
 * @beyond The stream is refused with `BUSY`.
 */
export const MAX_GOSSIP_STREAMS = 2

/**
 * Runs, and their bytes, of what a session brought that are passed on as messages: what is cheaper so than by sessions.
 * @beyond Neighbours are told that there is more, and reconcile.
 */
export const PASSED_ON_RUNS = 32
export const PASSED_ON_BYTES: number = 256 * 1024

/**
 * Runs remembered as floating, with the peer that pushed each: when they are witnessed later, they do not go back to it.
 * @beyond The oldest is forgotten.
 */
export const MAX_FLOATING_RUNS = 1024

/**
 * Peers of whom an address was heard from others: those that a few topics name.
 * @beyond The oldest is forgotten.
 */
export const MAX_HEARD_PEERS = 1024

/**
 * Events kept for a slow subscriber before it is told that it lagged.
 * @beyond The subscriber is told how many it missed.
 */
export const EVENT_CAPACITY = 1024

/**
 * Peers remembered as seen, or as misbehaving: the oldest are forgotten first.
 * @beyond The oldest is forgotten.
 */
export const MAX_KNOWN_PEERS = 4096

/**
 * Invalid items after which a peer loses its connection: sent over several sessions, they are no accident.
 * @beyond The peer loses its connection and is shut out.
 */
export const MAX_INVALID_PER_CONNECTION = 64

/**
 * Failures of sessions remembered, one per peer and store: those of a mesh with many stores, the oldest forgotten first.
 * @beyond The oldest is forgotten.
 */
export const MAX_REMEMBERED_FAILURES = 1024

/**
 * Tokens one connection may try in vain: a person pastes a few, a guesser many.
 * @beyond The invite is refused with `LIMIT_EXCEEDED`.
 */
export const MAX_JOINS_PER_CONNECTION = 8

/**
 * Streams turned away at once with a word; beyond them without one.
 * @beyond The stream is reset.
 */
export const MAX_TURNED_AWAY = 8

/** A connection that lasted this long was a good one: the next dial is not held back for it. */
export const STABLE_CONNECTION_MS = 10_000

/** Connections in a row that did not last, after which a peer has to stay that long before it is told to be online again. */
export const SHORT_CONNECTIONS_TOLD = 3

/** Two ticks this much further apart than meant, by either clock: the machine slept, or its clock was set. Busy processes are late by less. */
export const CLOCK_JUMP_MS = 10_000

/** Between two reactions to a network that changed: interfaces come and go in bursts. */
export const UPSET_PAUSE_MS = 20_000

/**
 * How long a connection made for a visit is kept at least, so that the other side can say that it differs, and at most.
 * @beyond Beyond the most it is closed.
 */
export const GUEST_MIN_MS = 2_000
export const GUEST_MAX_MS = 120_000

/** Said as a connection is closed that is of no more use, or for a newer one: the peer may well be there. */
export const LET_GO = 'let go'
export const REPLACED = 'replaced by a newer connection'
export const IDLE = 'idle'
export const MAKING_ROOM = 'making room'

/** True where a connection ended because nobody needed it, and not because its peer went. */
export function isOrderlyEnd(reason: string): boolean {
  return reason === LET_GO || reason === REPLACED || reason === IDLE || reason === MAKING_ROOM
}

/**
 * What peers said last that are not connected, one entry per peer and store: those of a large mesh.
 * @beyond The oldest is forgotten.
 */
export const MAX_REMEMBERED_DIGESTS = 8192

/**
 * Attempts of a session that meets the peer's own of the same kind.
 * @beyond The session has failed, and is repeated after a pause.
 */
export const MAX_BUSY_ATTEMPTS = 4

/** What a service is tuned by. Times in milliseconds. */
export interface NetworkLimits {
  /**
   * Longest time without a whole frame while one is due.
   * @beyond The session is cut; the next one goes on by difference.
   */
  readonly stepDeadlineMs: number
  /**
   * Longest session of any kind that is not meant to last; the next one goes on by difference.
   * @beyond The session is cut; the next one goes on by difference.
   */
  readonly sessionDeadlineMs: number
  /**
   * How long the peer may take to end its side after the exchange is over.
   * @beyond The stream is reset.
   */
  readonly lingerMs: number
  /**
   * Longest dial.
   * @beyond The dial has failed, and is repeated after a pause.
   */
  readonly dialDeadlineMs: number
  /** First pause between dials; doubles up to `dialBackoffMaxMs`, half of it random. */
  readonly dialBackoffMs: number
  readonly dialBackoffMaxMs: number
  /** A second connection the other way is settled by the keys within this age of the first; later it replaces it. */
  readonly simultaneousDialMs: number
  /**
   * How long the first is waited for to show that it lives, before the second takes its place after all.
   * @beyond The second takes its place.
   */
  readonly signOfLifeMs: number
  /**
   * A connection with a peer that shares a store ends when nobody has needed it for so long.
   * @beyond The connection is closed.
   */
  readonly releaseMs: number
  /**
   * The same where the peer dialled: it has its reasons, ends the connection without them, and would dial again at once.
   * @beyond The connection is closed.
   */
  readonly incomingIdleMs: number
  /**
   * The same of a stranger: it may be about to join.
   * @beyond The connection is closed.
   */
  readonly strangerIdleMs: number
  /**
   * Streams a peer may have open on a connection.
   * @beyond The stream is refused with `BUSY`.
   */
  readonly streamsPerConnection: number
  /**
   * Connections at once: more than a mesh has peers.
   * @beyond The connection least needed makes room, or the new one is closed.
   */
  readonly connections: number
  /**
   * Bytes held in memory of all peers' together, as counted for each. As many strangers as there are connections have 320 MiB
   * held at most; the rest is what six peers of stores here may have.
   * @beyond Sessions of the peer that holds most are refused with `LIMIT_EXCEEDED`. Nobody is scored, nor hindered that holds
   * less.
   */
  readonly heldBytes: number
  /**
   * Reconcile sessions started here at once, in all and with one peer: a stalled peer holds up its own only.
   * @beyond The rest wait for their turn; peers take turns.
   */
  readonly sessions: number
  readonly sessionsPerPeer: number
  /** An answer that takes less makes the next request of a bootstrap larger; one that takes twice as long, smaller. */
  readonly bootstrapShareMs: number
  /** An answer that takes longer is no longer waited for: others are asked too. */
  readonly bootstrapOverdueMs: number
  /** Pause before a gap is healed: lets what is in flight arrive. */
  readonly gapDelayMs: number
  /** How long digests may differ with nothing under way before they are looked into. */
  readonly differDelayMs: number
  /** The same while one side or the other still changes. */
  readonly differMaxMs: number
  /** How often each neighbour is told what changed, or that nothing did. */
  readonly heartbeatMs: number
  /** How soon after a change it is told: what comes by itself meanwhile needs no telling. */
  readonly heartbeatDelayMs: number
  /** How often each membership looks after its views. */
  readonly membershipTickMs: number
  /** Neighbours that a node keeps per topic, see {@link ACTIVE_VIEW}. */
  readonly activeView: number
  /** First pause before a session that ended in difference or failed is repeated; doubles up to `retryMaxMs`. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** The tick by which silence, presence and the clocks are looked at. */
  readonly tickMs: number
  /** Silence after which a connection is asked for a sign of life; without one within `answerMs` it is closed. */
  readonly silentMs: number
  readonly answerMs: number
  /** A connected peer is online while something came from it within this: longer than finding out that it is gone. */
  readonly presenceMs: number
  /** One that is not connected, while it was heard of within this: a few rounds of visits. */
  readonly awayPresenceMs: number
  /** Pause between visits to peers that are not connected, and between two visits to the same one. */
  readonly probeEveryMs: number
  readonly probeRoundMs: number
  /** First pause after a visit to a peer that was not there; doubles up to `probeBackoffMaxMs`. */
  readonly probeBackoffMs: number
  readonly probeBackoffMaxMs: number
  /** What a whole node does at once after it slept or moved is spread over this. */
  readonly wakeSpreadMs: number
  /**
   * Sessions asked for as a connection begins are spread over this for each peer that is connected, up to the most: in a
   * mesh that heals what one peer brought need not be had of the next.
   */
  readonly connectSpreadMs: number
  readonly connectSpreadMaxMs: number
  /** First time a misbehaving peer is shut out; doubles with each repetition up to `muteMaxMs`. */
  readonly muteMs: number
  readonly muteMaxMs: number
}

export const DEFAULT_LIMITS: NetworkLimits = {
  stepDeadlineMs: 30_000,
  sessionDeadlineMs: 15 * 60_000,
  lingerMs: 5_000,
  dialDeadlineMs: CONNECT_TIMEOUT_MS,
  dialBackoffMs: 500,
  dialBackoffMaxMs: 60_000,
  simultaneousDialMs: 15_000,
  signOfLifeMs: 1_500,
  releaseMs: 15_000,
  incomingIdleMs: 10 * 60_000,
  strangerIdleMs: 60_000,
  streamsPerConnection: 32,
  connections: KEPT_CONNECTIONS,
  heldBytes: 512 * 1024 * 1024,
  sessions: 8,
  sessionsPerPeer: 2,
  bootstrapShareMs: 500,
  bootstrapOverdueMs: 3_000,
  gapDelayMs: 200,
  differDelayMs: 3_000,
  differMaxMs: 15_000,
  heartbeatMs: 10_000,
  heartbeatDelayMs: 1_000,
  membershipTickMs: 5_000,
  activeView: ACTIVE_VIEW,
  retryMs: 2_000,
  retryMaxMs: 120_000,
  tickMs: 5_000,
  silentMs: 12_000,
  answerMs: 4_000,
  presenceMs: 45_000,
  awayPresenceMs: 15 * 60_000,
  probeEveryMs: 5_000,
  probeRoundMs: 5 * 60_000,
  probeBackoffMs: 60_000,
  probeBackoffMaxMs: 30 * 60_000,
  wakeSpreadMs: 500,
  connectSpreadMs: 200,
  connectSpreadMaxMs: 2_000,
  muteMs: 10_000,
  muteMaxMs: 3_600_000,
}
