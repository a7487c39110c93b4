/**
 * The first frames of a stream: which protocol, which version, what time it is; and the answer.
 *
 * The side that opens sends its first frames together with the `Open`, so that opening costs no round trip of its own. A
 * refusal is a frame like any other and ends the session wherever it comes.
 *
 * @module
 */
import { MAX_WALL_MS } from '@lattice/model'
import { net } from '@lattice/proto'
import type { Frame } from './frame.ts'
import { PROTOCOL_VERSION } from './limits.ts'
import { type Effects, type Fail, refuse, send, type SessionMachine, violation } from './session.ts'

/** What the opening side says of itself. */
export interface OpeningOptions {
  readonly protocol: net.Protocol
  /** This side's wall clock, in milliseconds. */
  readonly wallMs: number
  /** Told the peer's wall clock once it is known. */
  readonly onPeerWall: (wallMs: number) => void
}

/** Puts the opening before a machine that starts a session. */
export function withOpening<Outcome>(
  machine: SessionMachine<Outcome>,
  { protocol, wallMs, onPeerWall }: OpeningOptions,
): SessionMachine<Outcome> {
  let accepted = false
  function receive(frame: Frame): Effects<Outcome> {
    if (frame.case === 'refused') {
      return accepted && machine.refused !== undefined ? machine.refused(frame.value) : [refusedBy(frame.value)]
    }
    if (accepted) return machine.receive(frame)
    if (frame.case !== 'accepted') return [violation('not_accepted_first')]
    if (frame.value.version !== PROTOCOL_VERSION) return [violation('accepted_another_version')]
    if (frame.value.wallTime > BigInt(MAX_WALL_MS)) return [violation('wall_time_out_of_range')]
    accepted = true
    onPeerWall(Number(frame.value.wallTime))
    return []
  }
  return {
    ...machine,
    start: () => [
      send({ case: 'open', value: { protocol, version: PROTOCOL_VERSION, wallTime: BigInt(wallMs) } }),
      ...machine.start(),
    ],
    receive,
    idle: () => accepted && (machine.idle?.() ?? false),
  }
}

export interface AcceptingOptions<Outcome> {
  readonly wallMs: number
  readonly onPeerWall: (wallMs: number) => void
  /** The machine for a protocol, or a refusal. */
  readonly select: (protocol: net.Protocol) => SessionMachine<Outcome> | Fail
}

/** The answering side: reads the `Open`, then becomes the machine that `select` names. */
export function acceptOpening<Outcome>({
  wallMs,
  onPeerWall,
  select,
}: AcceptingOptions<Outcome>): SessionMachine<Outcome> {
  let machine: SessionMachine<Outcome> | undefined
  function open({ protocol, version, wallTime }: net.Open): Effects<Outcome> {
    if (version !== PROTOCOL_VERSION) {
      const message = `version ${PROTOCOL_VERSION} is spoken here, not ${version}`
      return [refuse(net.RefusalCode.VERSION_UNSUPPORTED, message)]
    }
    if (wallTime > BigInt(MAX_WALL_MS)) return [violation('wall_time_out_of_range')]
    const selected = select(protocol)
    if ('kind' in selected) return [selected]
    machine = selected
    onPeerWall(Number(wallTime))
    const accepted = send({ case: 'accepted', value: { version: PROTOCOL_VERSION, wallTime: BigInt(wallMs) } })
    return [accepted, ...machine.start()]
  }
  return {
    start: () => [],
    receive: (frame) => {
      if (machine !== undefined) {
        return frame.case === 'refused' ? [refusedBy(frame.value)] : machine.receive(frame)
      }
      return frame.case === 'open' ? open(frame.value) : [violation('not_opened_first')]
    },
    answered: (answer) => machine?.answered(answer) ?? [],
    ended: () => machine?.ended?.() ?? [{ kind: 'fail', failure: { kind: 'lost', why: 'the stream ended early' } }],
    idle: () => machine?.idle?.() ?? false,
    lasting: () => machine?.lasting?.() ?? false,
  }
}

function refusedBy({ code, message }: net.Refused): Fail {
  return { kind: 'fail', failure: { kind: 'refused', refusal: code, message } }
}
