/**
 * The stretch of a peer's log that a bootstrap is at: which of its intentions are lacking, asked for, or here already and
 * waiting for those before them.
 *
 * Intentions leave it in the order of the log, which is causal, however they arrive; so the store never has to keep what it
 * cannot witness. What waits is bounded in bytes: beyond that the latest arrivals are dropped, to be fetched again. When
 * the log of another peer takes over, what waits is kept aside, and is of use once that log names it too.
 *
 * Pure and synchronous: no clock, no I/O, no randomness.
 *
 * @module
 */
import { assert, type IdKey, idKey, type IntentionId, type SignedIntention } from '@lattice/model'
import type { BootstrapPosition } from './session-call.ts'

/** An intention that waits for its turn. */
export interface HeldIntention {
  readonly signed: SignedIntention
  /** Whom it came from. */
  readonly from: IdKey
}

/** A page that was checked. */
export interface WindowPage {
  readonly end: BootstrapPosition
  readonly headSeq: number
}

/** A stretch of the log from one peer, ready for the store. */
export interface WindowUnit {
  readonly from: IdKey
  readonly places: readonly Place[]
  readonly intentions: readonly SignedIntention[]
  /** Of the places. */
  readonly keys: ReadonlySet<IdKey>
}

/** One intention that the log names and that is lacking here. */
export interface Place {
  readonly key: IdKey
  readonly id: IntentionId
  /** Counts the places of the log in their order. */
  readonly index: number
  readonly page: OpenPage
  /** A commit group of the log ends here. */
  readonly isGroupEnd: boolean
  isAsked: boolean
  held: HeldIntention | undefined
  /** Peers that do not have it. */
  lackedBy: Set<IdKey> | undefined
}

interface OpenPage extends WindowPage {
  /** Its intentions that are not in the store yet. */
  left: number
}

export interface BootstrapWindow {
  /** `groupEnds`: those of `lacking` with which a commit group of the log ends, as far as is known. */
  readonly addPage: (page: WindowPage, lacking: readonly IntentionId[], groupEnds?: ReadonlySet<IdKey>) => void
  readonly find: (key: IdKey) => Place | undefined
  /**
   * The first places that nobody is asked for and that `suits`, at most `max`. They count as asked from now on. A request
   * that is cut short is cut where a commit group ends, if one does in its second half: a run that it cuts would come to its
   * end, and then again with the next request.
   */
  readonly pick: (max: number, suits: (place: Place) => boolean) => readonly IntentionId[]
  /** Somebody was asked for them before the log named them. */
  readonly markAsked: (keys: Iterable<IdKey>) => void
  /** Nobody is asked for them any more. */
  readonly reopen: (keys: Iterable<IdKey>) => void
  /** Keeps what arrived: in its place, or aside while it has none. The first of several counts. */
  readonly hold: (key: IdKey, held: HeldIntention) => void
  /** Drops the latest arrivals that are beyond the budget. */
  readonly trim: () => void
  /** Takes what can go to the store next: from the front, of one peer, at most `maxCount`. */
  readonly takeUnit: (maxCount: number, maxBytes: number) => WindowUnit | undefined
  /** The store has these. */
  readonly settle: (places: readonly Place[]) => void
  /** The store refused these: they are lacking as before. */
  readonly putBack: (places: readonly Place[]) => void
  /** Forgets what came from a peer. */
  readonly purge: (from: IdKey) => void
  /** The oldest page, once the store has all of it; it leaves the window. */
  readonly takePage: () => WindowPage | undefined
  /** Another log takes over. */
  readonly clear: () => void
  readonly size: () => number
  readonly pages: () => number
  readonly heldBytes: () => number
  /** Nothing before it is missing: what waits at the front can go to the store. */
  readonly isFrontHeld: () => boolean
}

const NONE: ReadonlySet<IdKey> = new Set()

/** Starts empty. `maxBytes`: what may wait. */
export function createBootstrapWindow({ maxBytes }: { readonly maxBytes: number }): BootstrapWindow {
  assert(maxBytes > 0, 'something may wait')
  return new Window(maxBytes)
}

class Window implements BootstrapWindow {
  readonly #maxBytes: number
  readonly #places = new Map<IdKey, Place>()
  /** Named by no page of the present log so far. */
  readonly #aside = new Map<IdKey, HeldIntention>()
  #order: Place[] = []
  #pages: OpenPage[] = []
  #bytes = 0
  #count = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  addPage(page: WindowPage, lacking: readonly IntentionId[], groupEnds: ReadonlySet<IdKey> = NONE): void {
    const open: OpenPage = { ...page, left: lacking.length }
    this.#pages.push(open)
    for (const id of lacking) {
      const key = idKey(id)
      assert(!this.#places.has(key), 'a log names an intention once')
      const place: Place = {
        key,
        id,
        index: this.#count,
        page: open,
        isGroupEnd: groupEnds.has(key),
        isAsked: false,
        held: undefined,
        lackedBy: undefined,
      }
      this.#count += 1
      this.#enter(place)
      this.#order.push(place)
    }
  }
  find(key: IdKey): Place | undefined {
    return this.#places.get(key)
  }
  pick(max: number, suits: (place: Place) => boolean): readonly IntentionId[] {
    const picked: Place[] = []
    let whole = 0
    for (const place of this.#order) {
      if (picked.length === max) break
      if (place.isAsked || place.held !== undefined || !suits(place)) continue
      picked.push(place)
      if (place.isGroupEnd) whole = picked.length
    }
    if (picked.length === max && 2 * whole >= max) picked.length = whole
    for (const place of picked) place.isAsked = true
    return picked.map(({ id }) => id)
  }
  markAsked(keys: Iterable<IdKey>): void {
    for (const key of keys) {
      const place = this.#places.get(key)
      if (place !== undefined) place.isAsked = true
    }
  }
  reopen(keys: Iterable<IdKey>): void {
    for (const key of keys) {
      const place = this.#places.get(key)
      if (place !== undefined) place.isAsked = false
    }
  }
  hold(key: IdKey, held: HeldIntention): void {
    const place = this.#places.get(key)
    if (place?.held !== undefined || this.#aside.has(key)) return
    if (place === undefined) this.#aside.set(key, held)
    else place.held = held
    this.#bytes += sizeOf(held)
  }
  trim(): void {
    for (const key of this.#aside.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#dropAside(key)
    }
    for (let index = this.#order.length - 1; index >= 0 && this.#bytes > this.#maxBytes; index -= 1) {
      const place = this.#order[index]
      if (place !== undefined) this.#drop(place)
    }
  }
  takeUnit(maxCount: number, maxBytes: number): WindowUnit | undefined {
    const from = this.#order[0]?.held?.from
    if (from === undefined) return undefined
    const places: Place[] = []
    const intentions: SignedIntention[] = []
    let size = 0
    for (const place of this.#order) {
      const { held } = place
      if (held?.from !== from || places.length === maxCount || size >= maxBytes) break
      size += sizeOf(held)
      places.push(place)
      intentions.push(held.signed)
    }
    this.#order = this.#order.slice(places.length)
    for (const place of places) {
      this.#drop(place)
      this.#places.delete(place.key)
    }
    return { from, places, intentions, keys: new Set(places.map(({ key }) => key)) }
  }
  settle(places: readonly Place[]): void {
    for (const { page } of places) page.left -= 1
  }
  putBack(places: readonly Place[]): void {
    // Those of a log that another took over from are named anew by that, or not at all.
    const back = places.filter(({ page }) => this.#pages.includes(page))
    for (const place of back) {
      place.isAsked = false
      this.#enter(place)
    }
    // Those of a later unit may have come back before.
    this.#order = [...back, ...this.#order].toSorted((a, b) => a.index - b.index)
  }
  purge(from: IdKey): void {
    for (const place of this.#order) if (place.held?.from === from) this.#drop(place)
    for (const [key, held] of this.#aside) if (held.from === from) this.#dropAside(key)
  }
  takePage(): WindowPage | undefined {
    return this.#pages[0]?.left === 0 ? this.#pages.shift() : undefined
  }
  clear(): void {
    for (const { key, held } of this.#order) if (held !== undefined) this.#aside.set(key, held)
    this.#places.clear()
    this.#order = []
    this.#pages = []
  }
  size(): number {
    return this.#order.length
  }
  pages(): number {
    return this.#pages.length
  }
  heldBytes(): number {
    return this.#bytes
  }
  isFrontHeld(): boolean {
    return this.#order[0]?.held !== undefined
  }

  #enter(place: Place): void {
    this.#places.set(place.key, place)
    place.held = this.#aside.get(place.key)
    this.#aside.delete(place.key)
  }
  #drop(place: Place): void {
    if (place.held === undefined) return
    this.#bytes -= sizeOf(place.held)
    place.held = undefined
    place.isAsked = false
  }
  #dropAside(key: IdKey): void {
    const held = this.#aside.get(key)
    if (held !== undefined) this.#bytes -= sizeOf(held)
    this.#aside.delete(key)
  }
}

/** What an intention takes of the budget. */
function sizeOf({ signed }: HeldIntention): number {
  return signed.bytes.length + signed.signature.length
}
