/**
 * The messages of a tree that are known of and have not come.
 *
 * Each counts against the allowance of one neighbour that holds it, so that all together are bounded by the neighbours,
 * and none of them can use up what another may announce.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, type IntentionId } from '@lattice/model'
import { MISSING_PER_NEIGHBOR } from '../limits.ts'
import type { Announcer, Announcers } from './announcers.ts'
import type { TreeNeighbor } from './tree-neighbors.ts'

/** An announced message that has not come. */
export interface Missing {
  readonly id: IntentionId
  /** Not asked yet. */
  readonly holders: Announcers
  readonly asked: Announcer[]
  /** Whose allowance it counts against. */
  debtor: TreeNeighbor
}

/** Starts empty, above the neighbours of a tree. */
export class MissingMessages {
  readonly #missing = new Map<IdKey, Missing>()
  readonly #neighbors: ReadonlyMap<IdKey, TreeNeighbor>

  constructor(neighbors: ReadonlyMap<IdKey, TreeNeighbor>) {
    this.#neighbors = neighbors
  }

  get(id: IntentionId): Missing | undefined {
    return this.#missing.get(idKey(id))
  }
  /** What counts against a neighbour. */
  owedBy(neighbor: TreeNeighbor): readonly Missing[] {
    return [...this.#missing.values()].filter(({ debtor }) => debtor === neighbor)
  }
  /** Waits for a message from those that hold it; undefined when none of them is a neighbour with allowance left. */
  add(id: IntentionId, holders: Announcers): Missing | undefined {
    assert(this.get(id) === undefined, 'a message is waited for once')
    const debtor = this.#debtorAmong(holders.list())
    if (debtor === undefined) return undefined
    debtor.owed += 1
    const missing = { id, holders, asked: [], debtor }
    this.#missing.set(idKey(id), missing)
    return missing
  }
  /** Another peer holds it; whoever was asked is not asked again. */
  addHolder({ holders, asked }: Missing, holder: Announcer): void {
    if (!asked.some(({ peer }) => equalBytes(peer, holder.peer))) holders.add(holder)
  }
  /** Its debtor is gone: it counts against another holder. False, and it is waited for no longer, when there is none. */
  passOn(missing: Missing): boolean {
    const debtor = this.#debtorAmong([...missing.holders.list(), ...missing.asked])
    if (debtor === undefined) {
      this.delete(missing)
      return false
    }
    missing.debtor.owed -= 1
    missing.debtor = debtor
    debtor.owed += 1
    return true
  }
  delete({ id, debtor }: Missing): void {
    if (!this.#missing.delete(idKey(id))) return
    debtor.owed -= 1
    assert(debtor.owed >= 0, 'what a neighbour owes is counted once')
  }

  #debtorAmong(holders: readonly Announcer[]): TreeNeighbor | undefined {
    return holders
      .map(({ peer }) => this.#neighbors.get(idKey(peer)))
      .find((neighbor) => neighbor !== undefined && neighbor.owed < MISSING_PER_NEIGHBOR)
  }
}
