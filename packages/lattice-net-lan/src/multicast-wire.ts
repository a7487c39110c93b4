/**
 * The wire of a real LAN: IPv4 multicast to the group and port of mDNS.
 *
 * One socket listens for the whole host, and one per link sends, bound to the address of the link: so packets leave by the
 * link that is meant even where no route for multicast exists. The operating system tells of no change of links, so they
 * are compared now and then; on a change everything is opened anew.
 *
 * Whatever fails is said once in the log and tried again at the next look. A flood makes the wire deaf for a while: its
 * packets then cost nothing here.
 *
 * @module
 */
import { networkInterfaces } from 'node:os'
import type { Cancel, Clock, Logger, Scheduler } from '@lattice/model'
import type { LanWire, WireListener } from './lan-wire.ts'
import { type LanScope, type Link, linksOf } from './links.ts'
import { type Ears, type Mouth, openEars, openMouth } from './sockets.ts'

/** Links are compared this often: a person who plugs a cable in notices no delay. */
export const REVIEW_LINKS_MS = 3_000
/**
 * Packets in a second that are no LAN of nodes but a flood, at some microseconds each.
 * @beyond Nothing is heard for a while.
 */
export const FLOOD_PACKETS_PER_SECOND = 5_000
/** How long nothing is heard after a flood: its cost is down to a tenth. */
export const DEAF_MS = 10_000

export interface MulticastWireOptions {
  readonly scope: LanScope
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  /** What the operating system says of its interfaces, unless told otherwise. */
  readonly interfaces?: typeof networkInterfaces
}

/** Opens a wire that tells `listener` from now on. Failures are logged, never thrown. */
export function openMulticastWire(options: MulticastWireOptions, listener: WireListener): LanWire {
  const wire = new MulticastWire(options, listener)
  return { send: (bytes) => wire.send(bytes), close: () => wire.close() }
}

type Concern = 'links' | 'send' | 'listen'

const WORDS = {
  links: 'no interface of the local network is up',
  send: 'this node cannot be announced on the local network',
  listen: 'peers on the local network cannot be heard',
} as const satisfies Record<Concern, string>

class MulticastWire {
  readonly #options: MulticastWireOptions
  readonly #listener: WireListener
  /** What was said to be wrong and has not passed. */
  readonly #troubles = new Set<string>()
  #links: readonly Link[] = []
  #mouths: Mouth[] = []
  #ears: Ears | undefined
  #arrived = 0
  #secondEndsMs = 0
  #deafUntilMs = 0
  #cancelReview: Cancel = () => undefined
  #closing: Promise<void> | undefined

  constructor(options: MulticastWireOptions, listener: WireListener) {
    this.#options = options
    this.#listener = listener
    this.#review()
  }

  send(bytes: Uint8Array): void {
    if (this.#closing === undefined) for (const mouth of this.#mouths) mouth.send(bytes)
  }

  close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #release(): Promise<void> {
    this.#cancelReview()
    const ears = this.#ears?.close()
    await Promise.all(this.#mouths.map((mouth) => mouth.drained()))
    await Promise.all([ears, ...this.#mouths.map((mouth) => mouth.close())])
  }

  /** Opens what is missing, and everything anew where the links are others than before. */
  #review(): void {
    const { clock, scheduler } = this.#options
    this.#cancelReview = scheduler.after(REVIEW_LINKS_MS, () => this.#review())
    const links = this.#currentLinks()
    if (links.length > 0) this.#recovered('links')
    else this.#trouble('links')
    const isChanged = !sameLinks(links, this.#links)
    if (isChanged || this.#mouths.some((mouth) => mouth.hasFailed())) this.#openMouths(links)
    const isDeaf = clock.monotonicMs() < this.#deafUntilMs
    if (!isDeaf && (isChanged || this.#ears === undefined || this.#ears.hasFailed())) this.#openEars(links)
    this.#links = links
  }

  #openMouths(links: readonly Link[]): void {
    for (const mouth of this.#mouths) this.#discard(mouth)
    this.#mouths = links.map((link) =>
      openMouth(link, {
        onReady: () => this.#listener.onLinksChanged(),
        // By link: one that fails is said once, though others go on.
        onSent: () => this.#recovered('send', link.address),
        onFailure: (error) => this.#onSendFailure(link, error),
      }),
    )
  }

  /** A link that is gone is no trouble: the next look finds others, and it is made now. */
  #onSendFailure({ address }: Link, error: unknown): void {
    if (this.#closing !== undefined) return
    if (this.#currentLinks().some((link) => link.address === address)) {
      return this.#trouble('send', { link: address, error })
    }
    this.#cancelReview()
    this.#review()
  }

  #currentLinks(): readonly Link[] {
    const { scope, interfaces = networkInterfaces } = this.#options
    return linksOf(interfaces(), scope)
  }

  #openEars(links: readonly Link[]): void {
    if (this.#ears !== undefined) this.#discard(this.#ears)
    this.#ears = undefined
    if (links.length === 0) return
    this.#ears = openEars(links, {
      onPacket: this.#listener.onPacket,
      onArrival: () => this.#mayHear(),
      onReady: () => this.#recovered('listen'),
      onFailure: (error) => this.#trouble('listen', { error }),
    })
  }

  #mayHear(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + 1_000
      this.#arrived = 0
    }
    this.#arrived += 1
    if (this.#arrived <= FLOOD_PACKETS_PER_SECOND) return true
    this.#deafUntilMs = nowMs + DEAF_MS
    if (this.#ears !== undefined) this.#discard(this.#ears)
    this.#ears = undefined
    this.#options.logger.warn('lan.flooded', {
      consequence: `peers on the local network are not found for ${DEAF_MS / 1_000} s`,
      remedy: 'find the host that floods port 5353, or start with --no-lan',
    })
    return false
  }

  #discard(socket: Mouth | Ears): void {
    socket.close().catch((error: unknown) => this.#trouble('listen', { error }))
  }

  /** Said once until it has passed. */
  #trouble(concern: Concern, detail: { readonly link?: string; readonly error?: unknown } = {}): void {
    const key = keyOf(concern, detail.link)
    if (this.#closing !== undefined || this.#troubles.has(key)) return
    this.#troubles.add(key)
    this.#options.logger.warn('lan.unavailable', {
      what: WORDS[concern],
      consequence: 'peers are reached where they were or where they say; the local network is tried again',
      ...detail,
    })
  }

  #recovered(concern: Concern, link?: string): void {
    if (this.#troubles.delete(keyOf(concern, link))) {
      this.#options.logger.info('lan.available', { after: WORDS[concern], link })
    }
  }
}

function keyOf(concern: Concern, link: string | undefined): string {
  return link === undefined ? concern : `${concern} ${link}`
}

function sameLinks(some: readonly Link[], others: readonly Link[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ address, prefix }, at) => address === others[at]?.address && prefix === others[at].prefix)
  )
}
