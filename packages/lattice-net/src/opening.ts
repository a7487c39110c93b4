/**
 * The first frames of a stream: which protocol, which versions, what time it is; and the answer.
 *
 * A side that speaks one version sends its first frames together with the `Open`, so that opening costs no round trip of
 * its own; one that speaks several waits for the answer, which tells it the version to begin in, unless it begins alike in
 * all of them. A refusal is a frame
 * like any other and ends the session wherever it comes.
 *
 * @module
 */
import { assert, MAX_WALL_MS } from '@lattice/model'
import { net } from '@lattice/proto'
import type { Frame } from './frame.ts'
import { type Effects, type Fail, refuse, refusedBy, send, type SessionMachine, violation } from './session.ts'
import { commonVersion, readVersions, type VersionRange, versionsOf, versionsText } from './versions.ts'

/** What the opening side says of itself. */
export interface OpeningOptions {
  readonly protocol: net.Protocol
  /** Those spoken here unless others are given. */
  readonly versions?: VersionRange
  /** What the machine begins with is the same in all of them: it need not wait to know which it is. */
  readonly startsAlike?: boolean
  /** This side's wall clock, in milliseconds. */
  readonly wallMs: number
  /** Told the peer's wall clock once it is known. */
  readonly onPeerWall: (wallMs: number) => void
  /** Told the version agreed on: before the machine starts where several are spoken, else with the answer. */
  readonly onVersion?: (version: number) => void
}

/** Puts the opening before a machine that starts a session. */
export function withOpening<Outcome>(
  machine: SessionMachine<Outcome>,
  { protocol, versions = versionsOf(protocol), startsAlike = false, wallMs, onPeerWall, onVersion }: OpeningOptions,
): SessionMachine<Outcome> {
  assert(versions !== undefined, 'a protocol that is opened is spoken here')
  const { min, max } = versions
  const sendsAhead = min === max || startsAlike
  let accepted = false
  function accept({ version, wallTime }: net.Accepted): Effects<Outcome> {
    if (version < min || version > max) return [violation('accepted_another_version')]
    if (wallTime > BigInt(MAX_WALL_MS)) return [violation('wall_time_out_of_range')]
    accepted = true
    onPeerWall(Number(wallTime))
    onVersion?.(version)
    return sendsAhead ? [] : machine.start()
  }
  function receive(frame: Frame): Effects<Outcome> {
    if (frame.case === 'refused') {
      return accepted && machine.refused !== undefined ? machine.refused(frame.value) : [refusedBy(frame.value)]
    }
    if (accepted) return machine.receive(frame)
    return frame.case === 'accepted' ? accept(frame.value) : [violation('not_accepted_first')]
  }
  return {
    ...machine,
    start: () => {
      const value = { protocol, version: max, wallTime: BigInt(wallMs), versionMin: min }
      return [send({ case: 'open', value }), ...(sendsAhead ? machine.start() : [])]
    },
    receive,
    idle: () => accepted && (machine.idle?.() ?? false),
  }
}

export interface AcceptingOptions<Outcome> {
  readonly wallMs: number
  readonly onPeerWall: (wallMs: number) => void
  /** Those spoken here unless others are given. */
  readonly versionsOf?: (protocol: number) => VersionRange | undefined
  /** The machine for a protocol in the version agreed on, or a refusal. */
  readonly select: (protocol: net.Protocol, version: number) => SessionMachine<Outcome> | Fail
}

/** The answering side: reads the `Open`, then becomes the machine that `select` names. */
export function acceptOpening<Outcome>({
  wallMs,
  onPeerWall,
  versionsOf: spoken = versionsOf,
  select,
}: AcceptingOptions<Outcome>): SessionMachine<Outcome> {
  let machine: SessionMachine<Outcome> | undefined
  function open(frame: net.Open): Effects<Outcome> {
    const { protocol, wallTime } = frame
    const versions = spoken(protocol)
    if (versions === undefined) {
      return [refuse(net.RefusalCode.PROTOCOL_UNKNOWN, `protocol ${protocol} is not spoken here`)]
    }
    const theirs = readVersions(frame)
    if (theirs === undefined) return [violation('version_range_malformed')]
    const version = commonVersion(versions, theirs)
    if (version === undefined) {
      const message = `protocol ${protocol} is spoken here in version ${versionsText(versions)}, not ${versionsText(theirs)}`
      return [refuse(net.RefusalCode.VERSION_UNSUPPORTED, message)]
    }
    if (wallTime > BigInt(MAX_WALL_MS)) return [violation('wall_time_out_of_range')]
    const selected = select(protocol, version)
    if ('kind' in selected) return [selected]
    machine = selected
    onPeerWall(Number(wallTime))
    return [send({ case: 'accepted', value: { version, wallTime: BigInt(wallMs) } }), ...machine.start()]
  }
  return {
    start: () => [],
    receive: (frame) => {
      if (machine !== undefined) {
        if (frame.case !== 'refused') return machine.receive(frame)
        return machine.refused?.(frame.value) ?? [refusedBy(frame.value)]
      }
      return frame.case === 'open' ? open(frame.value) : [violation('not_opened_first')]
    },
    answered: (answer) => machine?.answered(answer) ?? [],
    ended: () => machine?.ended?.() ?? [{ kind: 'fail', failure: { kind: 'lost', why: 'the stream ended early' } }],
    held: () => machine?.held?.() ?? 0,
    idle: () => machine?.idle?.() ?? false,
    lasting: () => machine?.lasting?.() ?? false,
  }
}
