/**
 * What the network does by itself as time goes on: finds out who is gone, visits who is no neighbour, and starts over after
 * this machine slept, moved to another network, or had its clock set.
 *
 * All of it hangs on one tick. A machine that slept or moved has connections that only look whole, pauses that were meant
 * for another network, and peers that know where it was: connections are asked for a sign of life and closed without one,
 * whoever waits to be dialled is dialled, and what lives is compared anew, which also tells peers where this node is now.
 *
 * @module
 */
import { type Cancel, idKey, type PublicKey, toHex } from '@lattice/model'
import { connectTo } from './connect-to.ts'
import { createGuests, type Guests } from './guests.ts'
import { UPSET_PAUSE_MS } from './limits.ts'
import type { NetworkCore } from './network-core.ts'
import type { NetworkChange, NetworkServiceOptions } from './network-options.ts'
import type { PeerLink } from './peer-link.ts'
import { createProber, type Prober } from './prober.ts'
import { type Beat, startPulse } from './pulse.ts'
import { sameAddresses } from './same-addresses.ts'
import { createSilenceWatch, type SilenceWatch } from './silence-watch.ts'
import { createSparseHolders, type SparseHolders } from './sparse-holders.ts'

export interface Upkeep {
  /** The connection was made for one purpose and ends with it, unless the peer is wanted. */
  readonly guest: (link: PeerLink) => void
  readonly close: () => void
}

type UpsetCause = NetworkChange['cause']

/** Ticks from now on. */
export function startUpkeep(core: NetworkCore, options: NetworkServiceOptions): Upkeep {
  const upkeep = new Upkeeper(core, options)
  return { guest: (link) => upkeep.guests.add(link), close: () => upkeep.close() }
}

class Upkeeper {
  readonly guests: Guests
  readonly #core: NetworkCore
  readonly #options: NetworkServiceOptions
  readonly #silence: SilenceWatch
  readonly #prober: Prober
  readonly #holders: SparseHolders
  readonly #stop: Cancel
  #addresses: readonly string[]
  /** What happened since the last time that everything was looked at. */
  #upset: UpsetCause | undefined
  #quietUntilMs = 0

  constructor(core: NetworkCore, options: NetworkServiceOptions) {
    const { clock, scheduler, random } = options
    const { limits, links } = core
    const nowMs = clock.monotonicMs
    this.#core = core
    this.#options = options
    this.#addresses = this.#readAddresses()
    this.guests = createGuests({
      nowMs,
      isKept: (peer) => core.needs(peer),
      isWaiting: (peer) => core.waiting(peer) > 0,
      close: (link, message) => core.closeLater(link, message),
    })
    this.#silence = createSilenceWatch({
      links,
      scheduler,
      random,
      nowMs,
      limits,
      showsLife: (link) => core.showsLife(link, limits.answerMs),
      close: (link, message) => core.closeLater(link, message),
    })
    this.#prober = createProber({
      peers: options.knownPeers ?? (() => []),
      isLookedAfter: (peer) => links.get(peer) !== undefined || core.wishes.isWanted(peer),
      mutedForMs: core.ledger.mutedForMs,
      quietForMs: core.presenceBook.quietForMs,
      visit: (peer) => this.#visit(peer),
      nowMs,
      random,
      limits,
      spawn: (name, task) => core.spawn(name, task),
    })
    this.#holders = createSparseHolders({
      random,
      stores: core.stores.ids,
      connected: () => links.all().map(({ peer }) => peer),
      holds: (peer, storeId) => core.peerDigests.get(peer, storeId) !== undefined,
      pastHolders: core.peerDigests.pastHolders,
      mayUse: (peer, storeId) => core.stores.resolve(peer, storeId) !== undefined,
      isNeighbor: (peer) => core.gossip.needs(peer),
      want: (peer, storeId) => core.wishes.want(peer, idKey(storeId)),
      unwant: (peer, storeId) => core.wishes.unwant(peer, idKey(storeId)),
    })
    this.#stop = startPulse({ clock, scheduler, everyMs: limits.tickMs, onBeat: (beat) => this.#onBeat(beat) })
  }

  close(): void {
    this.#stop()
    this.#silence.close()
  }

  #onBeat(beat: Beat): void {
    this.#noteUpset(beat)
    if (this.#upset !== undefined && this.#options.clock.monotonicMs() >= this.#quietUntilMs)
      this.#startOver(this.#upset)
    this.#silence.review()
    this.#core.clocks.review()
    this.#core.presenceBook.review()
    this.guests.review()
    this.#prober.review()
    this.#holders.review()
  }
  #noteUpset({ isJump, shiftMs }: Beat): void {
    if (isJump && shiftMs < 0) this.#core.presenceBook.setBack(-shiftMs)
    const addresses = this.#readAddresses()
    const isMoved = !sameAddresses(addresses, this.#addresses)
    this.#addresses = addresses
    if (isMoved) this.#upset = 'moved'
    else if (isJump) this.#upset ??= shiftMs < 0 ? 'clock_set' : 'woke'
  }
  #startOver(cause: UpsetCause): void {
    const { clock, logger, onNetworkChanged, transport } = this.#options
    const { limits, dialer } = this.#core
    this.#upset = undefined
    this.#quietUntilMs = clock.monotonicMs() + UPSET_PAUSE_MS
    logger.info('network starts over', { cause, addresses: transport.addresses() })
    this.#silence.askAll((link) => link.spawn('digest', () => this.#core.compareAgain(link)))
    dialer.hurry(limits.wakeSpreadMs)
    this.#core.rejoin()
    this.#prober.hurry()
    onNetworkChanged?.({ cause, addresses: transport.addresses() })
  }
  #readAddresses(): readonly string[] {
    const { hostNetwork, transport } = this.#options
    return [...(hostNetwork?.addresses() ?? []), ...transport.addresses()]
  }
  async #visit(peer: PublicKey): Promise<boolean> {
    const { logger } = this.#options
    const addresses = this.#core.wishes.known(peer)
    try {
      this.guests.add(await connectTo(this.#core, { peer, addresses }, this.#core.signal()))
      return true
    } catch (error) {
      if (!this.#core.closed()) logger.debug('visit failed', { peer: toHex(peer), error })
      this.#core.presenceBook.missed(peer)
      return false
    }
  }
}
