/**
 * Findings: how they are made, and in which order they are told.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import type { Finding } from '../node-types.ts'

/** What a rule says; whom it is about is added by whoever knows. */
export interface Reason {
  readonly severity: Finding['severity']
  readonly code: string
  readonly what: string
  readonly remedy?: string
  readonly peer?: Finding['peer']
  readonly detail?: Readonly<Record<string, unknown>>
}

export type StoreRef = NonNullable<Finding['store']>

const GRAVITY: Readonly<Record<Finding['severity'], number>> = { problem: 0, warning: 1, info: 2, ok: 3 }

/** The finding that a reason is, of a store where it is about one. */
export function toFinding(
  { severity, code, what, remedy = '', peer, detail = {} }: Reason,
  store: StoreRef | undefined,
): Finding {
  return {
    severity,
    code,
    what,
    remedy,
    store,
    // The views they are taken from have more.
    peer: peer && { publicKey: peer.publicKey, name: peer.name },
    detail,
  }
}

/** The gravest first; those of equal weight stay in their order. */
export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => GRAVITY[a.severity] - GRAVITY[b.severity])
}

/** Keys as hex, for details: bytes do not survive JSON. */
export function hexOf(keys: readonly Uint8Array[]): readonly string[] {
  return keys.map((key) => toHex(key))
}
