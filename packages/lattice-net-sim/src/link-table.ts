/**
 * The connections of a network: making them, and losing those that stay blocked.
 *
 * @module
 */
import type { Cancel, IdKey, Random, Scheduler } from '@lattice/model'
import type { CloseReason } from '@lattice/net-types'
import type { Conditions } from './conditions.ts'
import { drawBelow } from './draw.ts'
import type { Emit } from './sim-event.ts'
import { createSimLink, type LinkEnd, type LinkMessage, type SimLink } from './sim-link.ts'
import type { SimNode } from './sim-node.ts'
import type { TrafficBook } from './traffic.ts'
import type { Wire } from './wire.ts'

export interface LinkTable {
  readonly create: (dialer: SimNode, acceptor: SimNode) => SimLink
  /** Starts or stops the idle time of each link; to be called whenever the network changed. */
  readonly review: () => void
  /** The ends of links at `node`, live or not. */
  readonly endsOf: (node: SimNode) => readonly LinkEnd[]
  readonly loseBetween: (a: IdKey, b: IdKey) => void
  /** Links with at least one live end. */
  readonly count: () => number
}

export interface LinkTableDeps {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly windowBytes: number
  readonly idleTimeoutMs: number
  readonly conditions: () => Conditions
  readonly traffic: TrafficBook
  readonly isBlocked: (from: IdKey, to: IdKey) => boolean
  readonly emit: Emit
}

interface LiveLink {
  readonly link: SimLink
  /** Withdraws the pending loss; undefined while the link is whole. */
  cancelLoss: Cancel | undefined
}

export function createLinkTable(deps: LinkTableDeps): LinkTable {
  const { random, scheduler, isBlocked, emit } = deps
  const links = new Map<number, LiveLink>()
  let linkCount = 0

  const lose = ({ link }: LiveLink, message: string): void => {
    deps.traffic.fault('lostConnections')
    emit({ kind: 'lost', from: link.dialer.node.hex, to: link.acceptor.node.hex, link: link.id })
    const reason: CloseReason = { by: 'lost', message }
    link.dialer.end(reason)
    link.acceptor.end(reason)
  }
  const onMessage = (id: number, message: LinkMessage): void => {
    emit({ ...message, from: message.from.hex, to: message.to.hex, link: id })
    const { loseOneIn } = deps.conditions()
    if (loseOneIn === undefined || drawBelow(random, loseOneIn) > 0) return
    const live = links.get(id)
    if (live !== undefined) lose(live, 'the connection was lost')
  }
  const isBroken = ({ dialer: { node: a }, acceptor: { node: b } }: SimLink): boolean =>
    !a.isOpen || !b.isOpen || isBlocked(a.key, b.key) || isBlocked(b.key, a.key)

  return {
    create: (dialer, acceptor) => {
      const id = linkCount
      linkCount += 1
      const onDone = (): void => {
        links.get(id)?.cancelLoss?.()
        links.delete(id)
      }
      const link = createSimLink({
        ...deps,
        id,
        dialer,
        acceptor,
        onDone,
        onMessage: (message) => onMessage(id, message),
        onReplay: (from, to) => {
          deps.traffic.fault('replays')
          emit({ kind: 'replay', from: from.hex, to: to.hex, link: id })
        },
      })
      links.set(id, { link, cancelLoss: undefined })
      return link
    },
    review: () => {
      for (const live of links.values()) {
        if (isBroken(live.link)) {
          live.cancelLoss ??= scheduler.after(deps.idleTimeoutMs, () => lose(live, 'the peer fell silent'))
        } else {
          live.cancelLoss?.()
          live.cancelLoss = undefined
        }
      }
    },
    endsOf: (node) =>
      [...links.values()].flatMap(({ link }) => [link.dialer, link.acceptor].filter((end) => end.node === node)),
    loseBetween: (a, b) => {
      for (const live of links.values()) {
        const ends = [live.link.dialer.node.key, live.link.acceptor.node.key]
        if (ends.includes(a) && ends.includes(b)) lose(live, 'the connection was lost')
      }
    },
    count: () => links.size,
  }
}
