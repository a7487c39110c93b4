/**
 * Which versions of each protocol are spoken here, and which one two sides agree on.
 *
 * The side that opens names the range it speaks, the answer picks the highest that both do. A version grows by fields
 * that others may pass over; a new kind of frame, or another meaning, needs a new version (see net.proto). So a protocol
 * can move on while peers that were not updated keep talking to each other and to those that were.
 *
 * @module
 */
import { net } from '@lattice/proto'

/** The versions of one protocol from the lowest to the highest, each of them spoken. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** The first version of reconciliation in which sets over a base can be compared. */
export const RECONCILE_WITH_BASES = 2

/** Exhaustive by type: a protocol that is spoken has a version. */
const SPOKEN: Readonly<Record<Exclude<net.Protocol, typeof net.Protocol.UNSPECIFIED>, VersionRange>> = {
  [net.Protocol.DIGEST]: { min: 1, max: 1 },
  [net.Protocol.RECONCILE]: { min: 1, max: RECONCILE_WITH_BASES },
  [net.Protocol.JOIN]: { min: 1, max: 1 },
  [net.Protocol.BOOTSTRAP]: { min: 1, max: 1 },
  [net.Protocol.FETCH]: { min: 1, max: 1 },
  [net.Protocol.GOSSIP]: { min: 1, max: 1 },
  [net.Protocol.PING]: { min: 1, max: 1 },
  [net.Protocol.REVOCATION]: { min: 1, max: 1 },
  [net.Protocol.SNAPSHOT]: { min: 1, max: 1 },
}

/** The versions spoken of a protocol; undefined for a number that names none. */
export function versionsOf(protocol: number): VersionRange | undefined {
  const ranges: Readonly<Record<number, VersionRange | undefined>> = SPOKEN
  return ranges[protocol]
}

/** The range that an `Open` names; undefined when it is none. */
export function readVersions({ version: max, versionMin }: net.Open): VersionRange | undefined {
  const min = versionMin === 0 ? max : versionMin
  return min >= 1 && min <= max ? { min, max } : undefined
}

/** The highest version in both ranges. */
export function commonVersion(a: VersionRange, b: VersionRange): number | undefined {
  const highest = Math.min(a.max, b.max)
  return highest >= Math.max(a.min, b.min) ? highest : undefined
}

/** A range for a person: `1`, or `1 to 3`. */
export function versionsText({ min, max }: VersionRange): string {
  return min === max ? `${max}` : `${min} to ${max}`
}
