/**
 * The whole life of stores as a plain model: what every node is bound to show, given who could talk to whom.
 *
 * It knows no intentions, clocks or logs. Acts are numbered as they happen, a node knows a set of them per store, and nodes
 * that can talk and use a store share what they know of it. From what it knows a node derives everything: the last status
 * of a child counts, a store is in use while all above it are, a destroyed one loses its data once every node has said so.
 */

export type Status = 'active' | 'archived' | 'destroyed'
export type Strategy = 'inherited' | 'snapshot'

/** What happened to a store. Known as far as its own log, or its parent's, has travelled. */
type Act =
  | { readonly kind: 'create'; readonly child: number; readonly strategy: Strategy }
  | { readonly kind: 'status'; readonly child: number; readonly status: Status }
  | { readonly kind: 'ack'; readonly child: number; readonly node: number }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }

interface NumberedAct {
  readonly position: number
  /** The store in whose log it is. */
  readonly store: number
  readonly act: Act
}

interface ModelStore {
  readonly parent: number | undefined
  readonly name: string
}

/** One node's side. */
interface ModelNode {
  up: boolean
  left: boolean
  /** Acts by store; a store that is a key here has its data on this node. */
  knows: Map<number, Set<number>>
}

export const ROOT = 0

/** States out of use: of a store's own and those above it the gravest is shown. */
const GRAVEST_FIRST = ['destroyed', 'left', 'archived'] as const

export type Shown =
  | { readonly state: 'active' | 'bootstrapping' | 'archived' | 'left'; readonly hasData: boolean }
  | { readonly state: 'destroyed'; readonly hasData: boolean }

/** Begins with a root that every node has joined. */
export class LifecycleModel {
  readonly stores: ModelStore[] = [{ parent: undefined, name: 'team' }]
  readonly nodes: ModelNode[]
  /**
   * Stores of which nodes know more or less than the model can tell: as nodes meet, one learns that a store is out of use
   * while it fetches what is in it, and either may come first. Sure again once all use it together.
   */
  readonly unsure: Set<number> = new Set()
  /** Nodes that are cut off from all others. */
  readonly cut: Set<number> = new Set()
  readonly #acts: NumberedAct[] = []

  constructor(nodes: number) {
    this.nodes = Array.from({ length: nodes }, () => ({ up: true, left: false, knows: new Map([[ROOT, new Set()]]) }))
  }

  node(index: number): ModelNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  /** What the node shows of the store; undefined where it does not list it. */
  shown(index: number, store: number): Shown | undefined {
    const node = this.node(index)
    if (!node.knows.has(ROOT) && !this.#everKnew(index, store)) return undefined
    const { parent } = this.#store(store)
    const hasData = node.knows.has(store)
    if (parent === undefined) return { state: node.left ? 'left' : 'active', hasData }
    const above = this.shown(index, parent)
    const own = this.#statusAt(index, store)
    if (above === undefined || own === undefined) return undefined
    for (const grave of GRAVEST_FIRST) if (own === grave || above.state === grave) return { state: grave, hasData }
    return { state: hasData && above.state === 'active' ? 'active' : 'bootstrapping', hasData }
  }

  inUse(index: number, store: number): boolean {
    return this.node(index).up && this.shown(index, store)?.state === 'active'
  }

  /** Nodes that use the store and can talk to this one, itself included. */
  circle(index: number, store: number): readonly number[] {
    return this.nodes.flatMap((_, other) => (this.inUse(other, store) && this.canTalk(index, other) ? [other] : []))
  }

  canTalk(one: number, other: number): boolean {
    return one === other || (!this.cut.has(one) && !this.cut.has(other))
  }

  value(index: number, store: number, key: string): string | undefined {
    let found: string | undefined
    for (const { act } of this.#known(index, store)) if (act.kind === 'put' && act.key === key) found = act.value
    return found
  }

  keys(): readonly string[] {
    return [...new Set(this.#acts.flatMap(({ act }) => (act.kind === 'put' ? [act.key] : [])))]
  }

  /** Another node holds all that this one knows of every store whose data is here. */
  isHeldElsewhere(index: number): boolean {
    return [...this.node(index).knows].every(([store, known]) =>
      this.nodes.some((other, at) => {
        const theirs = other.knows.get(store)
        return at !== index && theirs !== undefined && [...known].every((position) => theirs.has(position))
      }),
    )
  }

  create(
    index: number,
    parent: number,
    { name, strategy }: { readonly name: string; readonly strategy: Strategy },
  ): number {
    const child = this.stores.length
    this.stores.push({ parent, name })
    this.#do(index, parent, { kind: 'create', child, strategy })
    this.node(index).knows.set(child, new Set())
    this.settle()
    return child
  }

  setStatus(index: number, child: number, status: Status): void {
    const { parent } = this.#store(child)
    if (parent === undefined) throw new Error('a root has no status')
    this.#do(index, parent, { kind: 'status', child, status })
    this.settle()
  }

  put(index: number, store: number, [key, value]: readonly [string, string]): void {
    this.#do(index, store, { kind: 'put', key, value })
    this.settle()
  }

  /** The node's data is gone, and with it whatever nobody else knows. */
  forget(index: number): void {
    this.node(index).knows.clear()
  }

  join(index: number): void {
    const node = this.node(index)
    node.left = false
    node.knows.set(ROOT, new Set())
    this.settle()
  }

  /** Nodes can talk, or are there, that were not before. */
  meet(change: () => void): void {
    change()
    const before = this.#inUseAnywhere()
    this.settle()
    for (const store of before) if (!this.#isUsedByAll(store)) this.#doubt(store)
    this.trust()
  }

  /** What every node uses is known again. */
  trust(): void {
    for (const store of this.unsure) if (this.#isUsedByAll(store)) this.unsure.delete(store)
  }

  #doubt(store: number): void {
    if (store !== ROOT) for (const each of this.#withDescendants(store)) this.unsure.add(each)
  }

  #inUseAnywhere(): readonly number[] {
    return this.stores.flatMap((_, store) => (this.nodes.some((__, node) => this.inUse(node, store)) ? [store] : []))
  }

  #isUsedByAll(store: number): boolean {
    return this.circle(0, store).length === this.nodes.length
  }

  /** Lets everything travel that can, until nothing changes. */
  settle(): void {
    for (let changed = true; changed;) {
      changed = false
      for (const [store] of this.stores.entries()) changed = this.#share(store) || changed
      for (const [index] of this.nodes.entries()) changed = this.#obey(index) || changed
    }
  }

  /** Nodes that use the store tell each other what they know; who lacks it fetches it. */
  #share(store: number): boolean {
    let changed = false
    for (const [one] of this.nodes.entries()) {
      for (const [other] of this.nodes.entries()) {
        if (one === other || !this.canTalk(one, other) || !this.inUse(one, store) || !this.node(other).up) continue
        const state = this.shown(other, store)?.state
        if (state !== 'active' && state !== 'bootstrapping') continue
        const [from, to] = [this.node(one).knows.get(store), this.node(other).knows.get(store) ?? new Set<number>()]
        const before = to.size
        for (const position of from ?? []) to.add(position)
        changed ||= to.size !== before || !this.node(other).knows.has(store)
        this.node(other).knows.set(store, to)
      }
    }
    return changed
  }

  /** What a node does by itself: acknowledges what is destroyed, and deletes it once all have. */
  #obey(index: number): boolean {
    let changed = false
    for (const [child, { parent }] of this.stores.entries()) {
      if (parent === undefined || !this.inUse(index, parent) || this.#statusAt(index, child) !== 'destroyed') continue
      const acks = new Set(
        this.#known(index, parent).flatMap(({ act }) => (act.kind === 'ack' && act.child === child ? [act.node] : [])),
      )
      if (!acks.has(index)) {
        this.#do(index, parent, { kind: 'ack', child, node: index })
        changed = true
      } else if (acks.size === this.nodes.length) {
        for (const store of this.#withDescendants(child)) changed = this.node(index).knows.delete(store) || changed
      }
    }
    return changed
  }

  #withDescendants(store: number): readonly number[] {
    return [
      store,
      ...this.stores.flatMap(({ parent }, child) => (parent === store ? this.#withDescendants(child) : [])),
    ]
  }

  #do(index: number, store: number, act: Act): void {
    const position = this.#acts.length
    this.#acts.push({ position, store, act })
    const known = this.node(index).knows.get(store)
    if (known === undefined) throw new Error('a node acts in stores that it has')
    known.add(position)
  }

  /** In the order in which they happened. */
  #known(index: number, store: number): readonly NumberedAct[] {
    const known = this.node(index).knows.get(store)
    return known === undefined ? [] : this.#acts.filter(({ position }) => known.has(position))
  }

  /** The last status known, destroyed being the last of all; undefined where the child is not known. */
  #statusAt(index: number, child: number): Status | undefined {
    const { parent } = this.#store(child)
    if (parent === undefined) return undefined
    let status: Status | undefined
    for (const { act } of this.#known(index, parent)) {
      if (act.kind === 'create' && act.child === child) status = 'active'
      // Destroyed is for good, also where another act of the same time says otherwise.
      if (act.kind === 'status' && act.child === child && status !== 'destroyed') status = act.status
    }
    return status
  }

  #everKnew(index: number, store: number): boolean {
    return this.node(index).knows.has(store)
  }

  #store(index: number): ModelStore {
    const store = this.stores[index]
    if (store === undefined) throw new Error(`there is no store ${index}`)
    return store
  }
}
