/**
 * Three whole nodes against the plain model of `life-by-many-model.ts`: random acts, partitions, crashes and restarts; after
 * each step every node has to come to show what the model says.
 */
import { openKv } from '@lattice/kvstore'
import { isLatticeError, type StoreId, toHex, utf8Decode } from '@lattice/model'
import { system } from '@lattice/proto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { LifecycleModel, ROOT, type Shown, type Status, type Strategy } from './life-by-many-model.ts'

const NODES = 3
/** Children of one run: enough for siblings and three levels. */
const MAX_STORES = 5
/** Virtual time between two acts, so that the later one is later on every clock. */
const STEP_MS = 5

interface Real {
  readonly mesh: SimMesh
  /** By number in the model. */
  readonly ids: StoreId[]
}

type Command = fc.AsyncCommand<LifecycleModel, Real>

abstract class Act implements Command {
  abstract check(model: LifecycleModel): boolean
  abstract act(model: LifecycleModel, real: Real): Promise<void>
  abstract toString(): string

  async run(model: LifecycleModel, real: Real): Promise<void> {
    await real.mesh.time.pass(STEP_MS)
    await this.act(model, real)
    model.trust()
    await agree(model, real)
  }
}

class Create extends Act {
  readonly #draw: { readonly node: number; readonly parent: number; readonly name: string; readonly strategy: Strategy }
  constructor(draw: { node: number; parent: number; name: string; strategy: Strategy }) {
    super()
    this.#draw = draw
  }
  check(model: LifecycleModel): boolean {
    const { node, parent } = this.#draw
    if (model.stores.length >= MAX_STORES || parent >= model.stores.length || model.unsure.has(parent)) return false
    return model.inUse(node, parent)
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    const { node, parent, name, strategy } = this.#draw
    const store = await mesh.complete(mesh.node(node).createStore({ name, parent: idAt(ids, parent), strategy }))
    ids[model.create(node, parent, { name, strategy })] = store.id
  }
  toString(): string {
    const { node, parent, name, strategy } = this.#draw
    return `node ${node} creates ${strategy} child ${name} of store ${parent}`
  }
}

/** Archives, brings back or destroys a child; what may not be is refused. */
class SetStatus extends Act {
  readonly #draw: { readonly node: number; readonly store: number; readonly status: Status }
  constructor(draw: { node: number; store: number; status: Status }) {
    super()
    this.#draw = draw
  }
  check(model: LifecycleModel): boolean {
    const { node, store } = this.#draw
    const parent = model.stores[store]?.parent
    if (parent === undefined || model.unsure.has(store)) return false
    return model.inUse(node, parent) && model.shown(node, store) !== undefined
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    const { node, store, status } = this.#draw
    const handle = mesh.store(node, idAt(ids, store))
    const before = model.shown(node, store)?.state
    const act = { active: handle.unarchive, archived: handle.archive, destroyed: handle.destroy }[status]
    const outcome = await outcomeOf(mesh, act())
    const isAllowed = before === 'destroyed' ? status === 'destroyed' : status !== 'destroyed' || before === 'archived'
    expect(outcome, `${this.toString()} while it is ${before ?? 'unknown'}`).toBe(isAllowed ? 'done' : 'WRONG_STATE')
    const isSame = before === status || (before === 'bootstrapping' && status === 'active')
    if (isAllowed && !isSame) model.setStatus(node, store, status)
  }
  toString(): string {
    return `node ${this.#draw.node} makes store ${this.#draw.store} ${this.#draw.status}`
  }
}

class Put extends Act {
  readonly #draw: { readonly node: number; readonly store: number; readonly key: string }
  constructor(draw: { node: number; store: number; key: string }) {
    super()
    this.#draw = draw
  }
  check(model: LifecycleModel): boolean {
    const { node, store } = this.#draw
    if (store >= model.stores.length || model.unsure.has(store)) return false
    return model.node(node).up && model.shown(node, store) !== undefined
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    const { node, store, key } = this.#draw
    const value = `${mesh.time.scheduler.clock.monotonicMs()}`
    const outcome = await outcomeOf(mesh, openKv(mesh.store(node, idAt(ids, store))).put(key, value))
    if (model.inUse(node, store)) {
      expect(outcome).toBe('done')
      model.put(node, store, [key, value])
    } else expect(['WRONG_STATE', 'STORE_NOT_READY']).toContain(outcome)
  }
  toString(): string {
    return `node ${this.#draw.node} puts ${this.#draw.key} into store ${this.#draw.store}`
  }
}

type Event = 'stop' | 'crash' | 'start' | 'cut' | 'heal'

class Happen extends Act {
  readonly #node: number
  readonly #event: Event
  constructor(node: number, event: Event) {
    super()
    this.#node = node
    this.#event = event
  }
  check(model: LifecycleModel): boolean {
    const { up } = model.node(this.#node)
    return this.#event === 'cut' || this.#event === 'heal' ? true : up === (this.#event !== 'start')
  }
  async act(model: LifecycleModel, { mesh }: Real): Promise<void> {
    const node = this.#node
    switch (this.#event) {
      case 'stop':
        await mesh.stop(node)
        model.node(node).up = false
        return
      case 'crash':
        mesh.crash(node)
        model.node(node).up = false
        return
      case 'start':
        await mesh.start(node)
        model.meet(() => {
          model.node(node).up = true
        })
        return
      case 'cut':
        model.cut.add(node)
        mesh.partition(...groupsOf(model))
        return
      case 'heal':
        mesh.heal()
        model.meet(() => model.cut.clear())
    }
  }
  toString(): string {
    return `${this.#event} node ${this.#node}`
  }
}

/** Leaves without force: either refused, or another node does hold all that this one knows. */
class Leave extends Act {
  readonly #node: number
  readonly #force: boolean
  constructor(node: number, force: boolean) {
    super()
    this.#node = node
    this.#force = force
  }
  check(model: LifecycleModel): boolean {
    return model.inUse(this.#node, ROOT)
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    const leaving = mesh.store(this.#node, idAt(ids, ROOT)).leave({ force: this.#force })
    const outcome = await outcomeOf(mesh, leaving)
    if (outcome === 'NOT_REPLICATED' && !this.#force) return
    expect(outcome).toBe('done')
    if (!this.#force && model.unsure.size === 0) expect(model.isHeldElsewhere(this.#node)).toBe(true)
    model.node(this.#node).left = true
  }
  toString(): string {
    return `node ${this.#node} leaves${this.#force ? ' by force' : ''}`
  }
}

class Rejoin extends Act {
  readonly #node: number
  constructor(node: number) {
    super()
    this.#node = node
  }
  check(model: LifecycleModel): boolean {
    return model.node(this.#node).up && model.shown(this.#node, ROOT)?.state === 'left'
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    await mesh.complete(mesh.store(this.#node, idAt(ids, ROOT)).rejoin())
    model.meet(() => {
      model.node(this.#node).left = false
    })
  }
  toString(): string {
    return `node ${this.#node} rejoins`
  }
}

/** Deletes what it left, where others hold it, and joins anew with a token. */
class DeleteAndJoin extends Act {
  readonly #node: number
  readonly #inviter: number
  constructor(node: number, inviter: number) {
    super()
    this.#node = node
    this.#inviter = inviter
  }
  check(model: LifecycleModel): boolean {
    const isLeft = model.node(this.#node).up && model.shown(this.#node, ROOT)?.state === 'left'
    return isLeft && model.inUse(this.#inviter, ROOT) && model.canTalk(this.#node, this.#inviter)
  }
  async act(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
    const root = idAt(ids, ROOT)
    const outcome = await outcomeOf(mesh, mesh.store(this.#node, root).deleteData({ confirmed: true }))
    if (outcome === 'NOT_REPLICATED') return
    expect(outcome).toBe('done')
    if (model.unsure.size === 0) expect(model.isHeldElsewhere(this.#node)).toBe(true)
    expect(mesh.node(this.#node).stores()).toEqual([])
    model.forget(this.#node)
    const { token } = await mesh.complete(mesh.store(this.#inviter, root).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(this.#node).join(token))
    model.join(this.#node)
  }
  toString(): string {
    return `node ${this.#node} deletes its data and joins at node ${this.#inviter}`
  }
}

/** Waits until all nodes that are up show what the model says, then looks at the values, too. */
async function agree(model: LifecycleModel, { mesh, ids }: Real): Promise<void> {
  const up = model.nodes.flatMap((node, index) => (node.up ? [index] : []))
  const difference = (): string | undefined => {
    for (const index of up) {
      for (const [store, id] of ids.entries()) {
        if (model.unsure.has(store)) continue
        const [expected, actual] = [model.shown(index, store), shownBy(mesh, index, id)]
        if (!isSame(expected, actual)) {
          return `node ${index} shows store ${store} as ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`
        }
        if (expected?.state !== 'active') continue
        const circle = model.circle(index, store)
        if (!mesh.isConverged(id, circle)) return `store ${store} is not equal on nodes ${circle.join()}`
      }
    }
    return undefined
  }
  try {
    await mesh.run(() => difference() === undefined, 'all nodes show what the model says')
  } catch (cause) {
    throw new Error(difference() ?? 'the nodes agree too late', { cause })
  }
  for (const index of up) {
    for (const [store, id] of ids.entries()) {
      if (!model.inUse(index, store) || model.unsure.has(store)) continue
      for (const key of model.keys()) {
        const { value } = await openKv(mesh.store(index, id)).get(key)
        const text = value && utf8Decode(value)
        expect(text, `${key} of store ${store} on node ${index}`).toBe(model.value(index, store, key))
      }
    }
  }
}

function shownBy(mesh: SimMesh, index: number, id: StoreId): Shown | undefined {
  const hex = toHex(id)
  const found = mesh
    .node(index)
    .stores()
    .find((each) => toHex(each.id) === hex)
  if (found === undefined) return undefined
  const { state, hasData } = found
  if (state === 'creating' || state === 'failed' || state === 'revoked')
    throw new Error(`node ${index} shows ${state}: ${String(found.error?.message)}`)
  return { state, hasData }
}

/** What is below a store that was destroyed is a tombstone, or not known any more; what is not all here has no say about data. */
function isSame(expected: Shown | undefined, actual: Shown | undefined): boolean {
  if (expected === undefined) return actual === undefined || (actual.state === 'destroyed' && !actual.hasData)
  if (actual === undefined) return false
  if (expected.state === 'active') return actual.state === 'active' && actual.hasData
  if (expected.hasData) return actual.state === expected.state && actual.hasData
  if (expected.state === 'destroyed') return actual.state === 'destroyed' && !actual.hasData
  return actual.state === expected.state || actual.state === 'bootstrapping'
}

async function outcomeOf(mesh: SimMesh, promise: Promise<unknown>): Promise<string> {
  try {
    await mesh.complete(promise)
    return 'done'
  } catch (error) {
    if (isLatticeError(error)) return error.code
    throw error
  }
}

function idAt(ids: readonly StoreId[], store: number): StoreId {
  const id = ids[store]
  if (id === undefined) throw new Error(`there is no store ${store}`)
  return id
}

function groupsOf(model: LifecycleModel): readonly (readonly number[])[] {
  const together = model.nodes.flatMap((_, index) => (model.cut.has(index) ? [] : [index]))
  return [...[...model.cut].map((index) => [index]), together].filter((group) => group.length > 0)
}

const nodes = fc.nat({ max: NODES - 1 })
const stores = fc.nat({ max: MAX_STORES - 1 })
const children = fc.integer({ min: 1, max: MAX_STORES - 1 })
const strategies = fc.constantFrom<Strategy>('inherited', 'snapshot')

const status = fc
  .record({
    node: nodes,
    store: children,
    status: fc.constantFrom<Status>('archived', 'archived', 'active', 'destroyed'),
  })
  .map((draw) => new SetStatus(draw))
const put = fc.record({ node: nodes, store: stores, key: fc.constantFrom('a', 'b') }).map((draw) => new Put(draw))
const happen = fc
  .tuple(nodes, fc.constantFrom<Event>('stop', 'crash', 'start', 'start', 'start', 'cut', 'heal', 'heal'))
  .map(([node, event]) => new Happen(node, event))

const create = fc
  .record({ node: nodes, parent: stores, name: fc.constantFrom('notes', 'drafts'), strategy: strategies })
  .map((draw) => new Create(draw))
const leave = fc.tuple(nodes, fc.boolean()).map(([node, force]) => new Leave(node, force))
const rejoin = nodes.map((node) => new Rejoin(node))
const joinAnew = fc.tuple(nodes, nodes).map(([node, inviter]) => new DeleteAndJoin(node, inviter))

/** Those that stand more than once come more often. */
const commands: fc.Arbitrary<Command>[] = [
  status,
  status,
  status,
  put,
  put,
  happen,
  happen,
  create,
  leave,
  rejoin,
  rejoin,
  joinAnew,
]

test('nodes show what a plain model says, whatever is done with stores, and whoever is away meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), fc.nat(), async (plan, seed) => {
      await using mesh = await createSimMesh({ seed, nodes: NODES })
      const model = new LifecycleModel(NODES)
      const real: Real = { mesh, ids: [await shareRoot(mesh)] }
      await new Create({ node: 0, parent: ROOT, name: 'notes', strategy: 'inherited' }).run(model, real)
      await new Create({ node: 1, parent: 1, name: 'drafts', strategy: 'snapshot' }).run(model, real)
      await fc.asyncModelRun(() => ({ model, real }), plan)
      await comeTogether(model, real)
    }),
    { numRuns: 10 },
  )
}, 120_000)

/** A root of which every node is an admin. */
async function shareRoot(mesh: SimMesh): Promise<StoreId> {
  const root = await mesh.complete(mesh.node(0).createStore({ name: 'team', storeType: 'core:kvstore' }))
  for (let index = 1; index < NODES; index += 1) {
    const { token } = await mesh.complete(root.invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(index).join(token))
  }
  await mesh.converge(root.id)
  return root.id
}

/** Everybody starts, can talk, and takes part again: all show the same. */
async function comeTogether(model: LifecycleModel, real: Real): Promise<void> {
  for (const [index, node] of model.nodes.entries()) if (!node.up) await new Happen(index, 'start').act(model, real)
  await new Happen(0, 'heal').act(model, real)
  for (const [index] of model.nodes.entries()) {
    const rejoin = new Rejoin(index)
    if (rejoin.check(model)) await rejoin.act(model, real)
  }
  await agree(model, real)
}
