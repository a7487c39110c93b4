/**
 * What peers are among some records: their role, and whether they are about.
 *
 * @module
 */
import { compareBytes, compareHlc, type PublicKey } from '@lattice/model'
import { type Grant, type MembershipGraph, type StatusWrite, WRITER_LEVEL } from './grants-graph.ts'
import type { Standing } from './standing.ts'

export interface PeerStates {
  /** The strongest level that is left to a peer; undefined for one that was neither admitted nor announced. */
  readonly levelOf: (peer: number) => number | undefined
  /** True for one that may write and is not away. */
  readonly isActive: (peer: number) => boolean
  /** The place of the record that says that a peer is away; undefined of one that is about. */
  readonly awayBy: (peer: number) => number | undefined
  /** All that are active, ascending by key. */
  readonly active: () => readonly PublicKey[]
}

export function readPeerStates(
  graph: MembershipGraph,
  has: (at: number) => boolean,
  { lives, levelLeft }: Pick<Standing, 'lives' | 'levelLeft'>,
): PeerStates {
  const counts = ({ at }: Grant | StatusWrite): boolean => has(at) && lives(at)

  function levelOf(peer: number): number | undefined {
    let strongest: number | undefined
    for (const grant of graph.grantsOf(peer)) if (counts(grant)) strongest = Math.max(strongest ?? 0, levelLeft(grant))
    return strongest
  }
  /** Away or back, whatever was said last; of several at once the latest, as the table shows it. */
  function latestOf(peer: number): StatusWrite | 'about' | undefined {
    const writes = graph.statusesOf(peer)
    // What gives a role says that the peer is about.
    if (!writes.some(({ status }) => status === 'dormant')) return 'about'
    const heads = headsOf(graph, writes, counts).filter(({ status }) => status !== 'invited')
    const [latest] = heads.toSorted((one, other) => later(graph, one, other))
    return latest?.status === 'active' ? 'about' : latest
  }
  const isAbout = (peer: number): boolean => latestOf(peer) === 'about'
  function isActive(peer: number): boolean {
    const level = levelOf(peer)
    return level !== undefined && level >= WRITER_LEVEL && isAbout(peer)
  }
  return {
    levelOf,
    isActive,
    awayBy: (peer) => {
      const latest = latestOf(peer)
      return latest === 'about' ? undefined : latest?.at
    },
    active: () => graph.peersInOrder().filter(isActive).map(graph.peerOf),
  }
}

/** Those that no other follows, of those that count. From the end, where each author's last are. */
function headsOf(
  graph: MembershipGraph,
  writes: readonly StatusWrite[],
  counts: (write: StatusWrite) => boolean,
): readonly StatusWrite[] {
  const heads: StatusWrite[] = []
  for (const write of writes.toReversed()) {
    if (heads.some((head) => graph.pasts.follows(head.at, write.at)) || !counts(write)) continue
    heads.push(write)
  }
  return heads
}

function later({ records }: MembershipGraph, one: StatusWrite, other: StatusWrite): number {
  const [first, second] = [records[one.at], records[other.at]]
  if (first === undefined || second === undefined) return 0
  return compareHlc(second.timestamp, first.timestamp) || compareBytes(second.id, first.id)
}
