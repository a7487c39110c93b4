/**
 * Dialling: one message to each place the peer may be, and the first that proves to be it wins.
 *
 * Silence ends at the deadline, abort ends at once, and a connection that comes up too late is closed, so no dial leaves
 * anything behind.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type PublicKey, type Scheduler, toHex } from '@lattice/model'
import { type Connection, type DialOptions, PeerUnreachable } from '@lattice/net-types'
import { createDeferred } from './deferred.ts'
import type { SimEvent } from './sim-event.ts'
import type { SimLink } from './sim-link.ts'
import { parseSimAddress, type SimNode } from './sim-node.ts'
import type { Wire } from './wire.ts'

export interface DialerDeps {
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly connectTimeoutMs: number
  readonly discovery: boolean
  readonly nodeAt: (key: IdKey) => SimNode | undefined
  readonly createLink: (dialer: SimNode, acceptor: SimNode) => SimLink
  /** To be called when a link exists: the way to its peer may be blocked by now. */
  readonly reviewLinks: () => void
  readonly emit: (event: Pick<SimEvent, 'kind' | 'from' | 'to'> & { readonly link?: number }) => void
}

export type Dial = (node: SimNode, peer: PublicKey, options: DialOptions) => Promise<Connection>

export function createDialer(deps: DialerDeps): Dial {
  const { scheduler, wire, emit } = deps

  /** Asks the node at `target`; `onLink` with a connection, `onRefusal` when it is somebody else or full. */
  const ask = (
    attempt: {
      readonly node: SimNode
      readonly peer: PublicKey
      readonly target: IdKey
      readonly isOver: () => boolean
    },
    onAnswer: (link: SimLink | undefined) => void,
  ): void => {
    const { node, peer, target } = attempt
    const arrive = (): void => {
      const found = deps.nodeAt(target)
      // Nobody listens, or the dialler has given up: no answer is ever sent.
      if (found === undefined || attempt.isOver()) return
      const back = (deliver: () => void): void => wire.carry({ from: found.key, to: node.key, sender: found, deliver })
      const link = equalBytes(found.publicKey, peer) ? deps.createLink(node, found) : undefined
      if (link === undefined || !found.incoming.push(link.acceptor.connection)) {
        link?.dialer.end({ by: 'lost', message: 'refused' })
        link?.acceptor.end({ by: 'lost', message: 'refused' })
        emit({ kind: 'refuse', from: node.hex, to: found.hex })
        return back(() => onAnswer(undefined))
      }
      emit({ kind: 'accept', from: node.hex, to: found.hex, link: link.id })
      deps.reviewLinks()
      back(() => onAnswer(link))
    }
    wire.carry({ from: node.key, to: target, sender: node, deliver: arrive })
  }

  return async (node, peer, { addresses, signal }) => {
    signal.throwIfAborted()
    const targets = new Set(addresses.flatMap((address) => parseSimAddress(address) ?? []))
    if (deps.discovery) targets.add(idKey(peer))
    if (!node.isOpen || equalBytes(node.publicKey, peer) || targets.size === 0)
      throw new PeerUnreachable(peer, addresses)

    emit({ kind: 'dial', from: node.hex, to: toHex(peer) })
    const outcome = createDeferred<Connection>()
    let over = false
    let refusals = 0
    const giveUp = (error: unknown): void => {
      over = true
      outcome.reject(error)
    }
    const onAbort = (): void => giveUp(signal.reason)
    const onSilence = (): void => giveUp(new PeerUnreachable(peer, addresses))
    const cancelDeadline = scheduler.after(deps.connectTimeoutMs, onSilence)
    node.dials.add(onSilence)
    signal.addEventListener('abort', onAbort, { once: true })
    for (const target of targets) {
      ask({ node, peer, target, isOver: () => over }, (link) => {
        if (over || !node.isOpen) {
          // Nobody waits for it: the acceptor hears of that as of any close.
          return link?.dialer.close('the dial was abandoned')
        }
        if (link === undefined) {
          refusals += 1
          if (refusals === targets.size) onSilence()
          return
        }
        over = true
        emit({ kind: 'connect', from: node.hex, to: link.acceptor.node.hex, link: link.id })
        outcome.resolve(link.dialer.connection)
      })
    }
    try {
      return await outcome.promise
    } finally {
      cancelDeadline()
      node.dials.delete(onSilence)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
