/**
 * What goes wrong in a simulation, by name.
 *
 * @module
 */

export type FaultKind =
  /** A power cut: what the disk had not been made to keep may be lost. */
  | 'crash'
  /** The same inside the next commits, between two lines. */
  | 'crash_at_point'
  /** Closed in good order. */
  | 'stop'
  | 'partition'
  | 'one_way_cut'
  | 'disconnect'
  /** A clock is set to another time, as peers still accept it. */
  | 'skew'
  /** And as they do not. */
  | 'skew_far'
  | 'disk_full'
  /** The network is another: faster, slower, or worse. */
  | 'weather'

/** What a hostile peer does. Most are done now and then, so that it is not found out at once. */
export type HostileHabit =
  /** Says that its set adds up to something else. */
  | 'forge_digest'
  /** Says that it has more, or fewer, than it has. */
  | 'lie_about_count'
  /** Leaves out some of what it was to send, and lets others wait for their causes. */
  | 'withhold'
  | 'bad_signature'
  | 'garbage'
  /** Announces a frame that is too large, or sends an intention that is. */
  | 'oversized'
  /** Sends a frame again, of this stream or of another. */
  | 'repeat'
  /** Says that it is done, and is not. */
  | 'done_early'
  | 'fall_silent'
  | 'end_early'
  /** Signs two intentions after the same one, and shows both. */
  | 'fork'
  /** Announces ids that stand for nothing. */
  | 'invent_ids'
  /** Asks for ids that stand for nothing, or for no more. */
  | 'graft_or_prune'
  | 'other_topic'
  /** Names peers that nobody has heard of, and walks that never end. */
  | 'invent_peers'
  /** Signs epochs that state what is not so, or that it may not make. */
  | 'forge_epoch'
  /** Signs that it has seen an epoch that it has not, or a state that nobody has. */
  | 'forge_ack'
  /** Signs an epoch as if it were an old one. */
  | 'backdate_epoch'
  /** Serves what a pruned log begins with, and its state, wrongly: changed, cut, out of order, or of something else. */
  | 'lie_about_state'
  /** Says that it is another time, whenever it says it: earlier, or later, by a little or by years. */
  | 'lie_about_time'
