/**
 * Dialling: one message to each place the peer may be, and the first that proves to be it wins.
 *
 * Silence ends at the deadline, abort ends at once, and a connection that comes up too late is closed, so no dial leaves
 * anything behind.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type PublicKey, type Random, type Scheduler, toHex } from '@lattice/model'
import { type Connection, type DialOptions, PeerUnreachable } from '@lattice/net-types'
import { type Conditions, REPEATED_WITHIN_MS } from './conditions.ts'
import { createDeferred } from './deferred.ts'
import { drawBelow } from './draw.ts'
import type { Emit } from './sim-event.ts'
import type { SimLink } from './sim-link.ts'
import { parseSimAddress, type SimNode } from './sim-node.ts'
import type { TrafficBook } from './traffic.ts'
import type { Wire } from './wire.ts'

export interface DialerDeps {
  readonly random: Random
  readonly conditions: () => Conditions
  readonly traffic: TrafficBook
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly connectTimeoutMs: number
  readonly discovery: boolean
  readonly nodeAt: (key: IdKey) => SimNode | undefined
  readonly createLink: (dialer: SimNode, acceptor: SimNode) => SimLink
  /** To be called when a link exists: the way to its peer may be blocked by now. */
  readonly reviewLinks: () => void
  readonly emit: Emit
}

export type Dial = (node: SimNode, peer: PublicKey, options: DialOptions) => Promise<Connection>

/** Dials for the nodes of a network. */
export function createDialer(deps: DialerDeps): Dial {
  return async (node, peer, options) => {
    options.signal.throwIfAborted()
    const targets = new Set(options.addresses.flatMap((address) => parseSimAddress(address) ?? []))
    if (deps.discovery) targets.add(idKey(peer))
    if (!node.isOpen || equalBytes(node.publicKey, peer) || targets.size === 0) {
      throw new PeerUnreachable(peer, options.addresses)
    }
    deps.emit({ kind: 'dial', from: node.hex, to: toHex(peer) })
    return raceTargets({ ...deps, node, peer, options, targets })
  }
}

interface Race extends DialerDeps {
  readonly node: SimNode
  readonly peer: PublicKey
  readonly options: DialOptions
  readonly targets: ReadonlySet<IdKey>
}

async function raceTargets(race: Race): Promise<Connection> {
  const { node, peer, targets } = race
  const { addresses, signal } = race.options
  const outcome = createDeferred<Connection>()
  let over = false
  let refusals = 0
  const giveUp = (error: unknown): void => {
    over = true
    outcome.reject(error)
  }
  const onAbort = (): void => giveUp(signal.reason)
  const onSilence = (): void => giveUp(new PeerUnreachable(peer, addresses))
  const onAnswer = (link: SimLink | undefined): void => {
    // Nobody waits for it any more: the acceptor hears of that as of any close.
    if (over || !node.isOpen) return link?.dialer.close('the dial was abandoned')
    if (link === undefined) {
      refusals += 1
      if (refusals === targets.size) onSilence()
      return
    }
    over = true
    race.emit({ kind: 'connect', from: node.hex, to: link.acceptor.node.hex, link: link.id })
    outcome.resolve(link.dialer.connection)
  }
  const cancelDeadline = race.scheduler.after(race.connectTimeoutMs, onSilence)
  node.dials.add(onSilence)
  signal.addEventListener('abort', onAbort, { once: true })
  for (const target of targets) {
    const arrive = (): void => {
      // The dialler has given up by now: no answer is ever sent.
      if (!over) answerDial(race, target, onAnswer)
    }
    race.wire.carry({ from: node.key, to: target, sender: node, deliver: arrive })
    repeatDial(race, target)
  }
  try {
    return await outcome.promise
  } finally {
    cancelDeadline()
    node.dials.delete(onSilence)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Has the dial arrive a second time, some time later: the dialler knows nothing of the connection that comes of it. */
function repeatDial(race: Race, target: IdKey): void {
  const { random, node, wire, traffic, emit } = race
  const { redialOneIn } = race.conditions()
  if (redialOneIn === undefined || drawBelow(random, redialOneIn) > 0) return
  const forget = (link: SimLink | undefined): void => {
    if (link === undefined) return
    const end = { by: 'lost', message: 'the peer knows nothing of this connection' } as const
    link.dialer.end(end)
    wire.carry({ from: node.key, to: target, sender: node, deliver: () => link.acceptor.end(end) })
  }
  race.scheduler.after(drawBelow(random, REPEATED_WITHIN_MS), () => {
    if (!node.isOpen) return
    traffic.fault('redials')
    emit({ kind: 'redial', from: node.hex, to: toHex(race.peer) })
    wire.carry({ from: node.key, to: target, sender: node, deliver: () => answerDial(race, target, forget) })
  })
}

/** What happens at the node at `target`: it sends a link back, or a refusal when it is somebody else or full. */
function answerDial(race: Race, target: IdKey, onAnswer: (link: SimLink | undefined) => void): void {
  const { node, peer, emit } = race
  const found = race.nodeAt(target)
  // Nobody listens, nobody answers.
  if (found === undefined) return
  const back = (deliver: () => void): void => race.wire.carry({ from: found.key, to: node.key, sender: found, deliver })
  const link = equalBytes(found.publicKey, peer) ? race.createLink(node, found) : undefined
  if (link === undefined || !found.incoming.push(link.acceptor.connection)) {
    link?.dialer.end({ by: 'lost', message: 'refused' })
    link?.acceptor.end({ by: 'lost', message: 'refused' })
    emit({ kind: 'refuse', from: node.hex, to: found.hex })
    return back(() => onAnswer(undefined))
  }
  emit({ kind: 'accept', from: node.hex, to: found.hex, link: link.id })
  race.reviewLinks()
  back(() => onAnswer(link))
}
