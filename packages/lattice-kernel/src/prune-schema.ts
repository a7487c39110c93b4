/**
 * The form of a pruned log: where it begins, and what is known of what is gone.
 *
 * A log is pruned in place: its records keep their seqs, and those that are gone leave a gap. `log_base` says from which
 * record on nothing is missing; the other tables hold the little that those that stay refer to. Rows belong to the prune
 * whose `number` they carry: the next one is prepared beside the one that holds, and rows of any other mean nothing.
 *
 * @module
 */

/**
 *     log_base    one row in a pruned log
 *       number        which prune of this log it is, from 1
 *       epoch         the base: nothing below it is kept but the genesis and the spine
 *       from_seq      the seq of the base: from it on no record is missing
 *       prev_hash     the chain hash of the record before it
 *       gone_count, gone_fingerprint    how many intentions are gone, and the sum of their ids mod 2^256
 *       signature     of this node, over all of this, the anchors, the lanes, and what is kept before the base
 *       deleted_to    how far the deletion of records has come; null once all of it is done
 *     base_lanes  every lane that begins below the base, and where it ends below it
 *     base_spans  what of it did not count, as it was known when it was pruned
 *       kind          `all` or `privileged`, see cutoff-span.ts; `epoch`: the epoch there had no effect
 *     anchors     what is gone, or of the spine, and still referred to
 *       stays         1: its record is here; 2: it is here to vouch for one before it, and is in no set
 *       vector        lanes and positions as in a reach block, of what may still be asked about
 *       deps          what an ack folded that a later operation unfolds
 *
 * The nodes of the range index change tables with every prune, so that the new one is made beside the old.
 */
export const PRUNE_TABLES = `CREATE TABLE log_base (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     number INTEGER NOT NULL,
     epoch BLOB NOT NULL,
     from_seq INTEGER NOT NULL,
     prev_hash BLOB NOT NULL,
     gone_count INTEGER NOT NULL,
     gone_fingerprint BLOB NOT NULL,
     signature BLOB NOT NULL,
     deleted_to INTEGER
   );
   CREATE TABLE base_lanes (
     number INTEGER NOT NULL,
     lane INTEGER NOT NULL,
     author INTEGER NOT NULL,
     key BLOB NOT NULL,
     parent_lane INTEGER,
     parent_position INTEGER,
     last INTEGER NOT NULL,
     PRIMARY KEY (number, lane)
   ) WITHOUT ROWID;
   CREATE TABLE base_spans (
     number INTEGER NOT NULL,
     lane INTEGER NOT NULL,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     kind TEXT NOT NULL,
     epoch BLOB,
     PRIMARY KEY (number, lane, first, kind)
   ) WITHOUT ROWID;
   CREATE TABLE anchors (
     number INTEGER NOT NULL,
     id BLOB NOT NULL,
     seq INTEGER NOT NULL,
     author INTEGER NOT NULL,
     lane INTEGER NOT NULL,
     position INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     wall INTEGER NOT NULL,
     counter INTEGER NOT NULL,
     stays INTEGER NOT NULL,
     vector BLOB NOT NULL,
     deps BLOB,
     PRIMARY KEY (number, id)
   ) WITHOUT ROWID;
   CREATE UNIQUE INDEX anchor_places ON anchors (number, lane, position);
   CREATE UNIQUE INDEX anchor_seqs ON anchors (number, seq);
   CREATE TABLE range_nodes_odd (node INTEGER PRIMARY KEY, bytes BLOB NOT NULL);`

/** What `stays` says of an anchor whose record is here. */
export const IN_SET = 1
/** The same of one that closes the run of another: without it nobody could check that. */
export const VOUCHES = 2

export interface LogBaseRow {
  readonly number: number
  readonly epoch: Buffer
  readonly from_seq: number
  readonly prev_hash: Buffer
  readonly gone_count: number
  readonly gone_fingerprint: Buffer
  readonly signature: Buffer
  readonly deleted_to: number | null
}

/** The kind of a span that is one epoch without effect. */
export const VOID_EPOCH = 'epoch'

export interface BaseLaneRow {
  readonly lane: number
  readonly author: number
  readonly key: Buffer
  readonly parent_lane: number | null
  readonly parent_position: number | null
  readonly last: number
}

export interface BaseSpanRow {
  readonly lane: number
  readonly first: number
  readonly last: number
  readonly kind: string
  readonly epoch: Buffer | null
}

export interface AnchorRow {
  readonly id: Buffer
  readonly seq: number
  readonly author: number
  readonly lane: number
  readonly position: number
  readonly generation: number
  readonly wall: number
  readonly counter: number
  readonly stays: number
  readonly vector: Buffer
  readonly deps: Buffer | null
}

/** The table of the range index: of a log that was never pruned, and after so many prunes. */
export function rangeTableOf(number: number): 'range_nodes' | 'range_nodes_odd' {
  return number % 2 === 0 ? 'range_nodes' : 'range_nodes_odd'
}
