/**
 * What is missing, at whom, and why.
 *
 * Facts are gathered first, then judged by pure rules, so that one answer speaks of one moment.
 *
 * @module
 */
import { equalBytes, idKey } from '@lattice/model'
import { conductReasons } from './findings/conduct-reasons.ts'
import type { FindingDeps } from './findings/finding-deps.ts'
import { diskSpaceOf } from './findings/disk-space.ts'
import { gravestFirst, type Reason, toFinding } from './findings/finding.ts'
import { gatherStores } from './findings/gather-stores.ts'
import { nodeReasons } from './findings/node-reasons.ts'
import { presenceReasons, replicaReasons } from './findings/peer-reasons.ts'
import { storeReasons } from './findings/store-reasons.ts'
import type { Circumstances, PeerSnapshot, StoreSnapshot } from './findings/store-snapshot.ts'
import type { Named } from './findings/words.ts'
import type { Finding, WhyOptions } from './node-types.ts'
import { resolvePeer } from './peer-reference.ts'

/** Findings of one answer, the gravest: it stays a message that can be sent and read. */
const FINDINGS_MAX = 1000

/** What keeps any peer from being exchanged with, and so belongs to the answer about each. */
const CONCERNS_EVERY_PEER: ReadonlySet<string> = new Set([
  'no_network',
  'clock_ahead',
  'clock_behind',
  'store_failed',
  'bootstrapping',
])

/** The gravest first. Rejects with `STORE_NOT_FOUND`, `PEER_NOT_FOUND`, or `INVALID_ARGUMENT` for an ambiguous peer. */
export async function findReasons(deps: FindingDeps, options: WhyOptions): Promise<readonly Finding[]> {
  const { context, clock } = deps
  const disk = diskSpaceOf(context.directory.path)
  const snapshots = gatherStores(deps, options.store)
  const peer = options.peer === undefined ? undefined : resolvePeer(options.peer, knownPeers(snapshots))
  const hasNetwork = context.network() !== undefined
  const around = { nowMs: context.clock.wallMs(), hasNetwork }
  const concerned = peer === undefined ? snapshots : snapshots.filter((snapshot) => involves(snapshot, peer))
  const findings = [
    ...nodeReasons({ hasNetwork, clock: clock(), disk }).map((reason) => toFinding(reason, undefined)),
    ...peersOf(concerned).flatMap((other) =>
      [...conductReasons(other), ...presenceReasons(other, around)].map((reason) => toFinding(reason, undefined)),
    ),
    ...concerned.flatMap((snapshot) => reasonsOf(snapshot, around).map((reason) => toFinding(reason, snapshot.ref))),
  ]
  return capped(gravestFirst(peer === undefined ? findings : findings.filter((finding) => isAbout(finding, peer))))
}

/** Who may be asked about: those that take part, and those that a store is fetched from. */
function knownPeers(snapshots: readonly StoreSnapshot[]): readonly Named[] {
  const known = new Map<string, Named>()
  for (const snapshot of snapshots) {
    for (const peer of namedIn(snapshot)) known.set(idKey(peer.publicKey), peer)
  }
  return [...known.values()]
}

function namedIn({ open, bootstrap, awaiting }: StoreSnapshot): readonly Named[] {
  return [...(open?.replicas.map(({ peer }) => peer) ?? []), ...(bootstrap?.peers ?? []), ...awaiting]
}

function involves(snapshot: StoreSnapshot, peer: Named): boolean {
  return namedIn(snapshot).some(({ publicKey }) => equalBytes(publicKey, peer.publicKey))
}

function peersOf(snapshots: readonly StoreSnapshot[]): readonly PeerSnapshot[] {
  const peers = new Map<string, PeerSnapshot>()
  for (const { open } of snapshots) for (const { peer } of open?.replicas ?? []) peers.set(idKey(peer.publicKey), peer)
  return [...peers.values()]
}

function reasonsOf(snapshot: StoreSnapshot, around: Circumstances): readonly Reason[] {
  const replicas = snapshot.open?.replicas ?? []
  return [...storeReasons(snapshot, around), ...replicas.flatMap((replica) => replicaReasons(replica, around))]
}

function isAbout({ code, peer: about }: Finding, peer: Named): boolean {
  if (about !== undefined) return equalBytes(about.publicKey, peer.publicKey)
  return CONCERNS_EVERY_PEER.has(code)
}

function capped(findings: readonly Finding[]): readonly Finding[] {
  const rest = findings.length - FINDINGS_MAX
  if (rest <= 0) return findings
  const what = `${rest} more findings are left out, none of them graver than these`
  const more: Reason = {
    severity: 'info',
    code: 'more',
    what,
    remedy: 'name a store or a peer',
    detail: { count: rest },
  }
  return [...findings.slice(0, FINDINGS_MAX), toFinding(more, undefined)]
}
