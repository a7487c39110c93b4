/**
 * Who has to come together in the end: the nodes that are peers of the root, by what these hold themselves.
 *
 * A peer that was removed holds less than the others and keeps what they left out, so it is not compared with them. Who
 * was removed follows from the records alone: nodes of which each holds the same set say who is out, and whoever is out has
 * to know. One that left may not: nobody talks to it any more. Neither may one whose admission was cut off with whoever
 * admitted it: to the others it is a stranger. Of two that were waited for by nobody and each cut history without the other
 * neither comes to the other. And of two that removed each other the senior stays, on its own, where the others
 * have cut history without its epoch: they can take in nothing that it has, nor it what they have. So does who knows the senior's
 * epoch, where that has come back to the others.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, type StoreId } from '@lattice/model'
import { readPeerStatus } from '@lattice/systemstore'
import { heldDigest, heldDigests } from '../replica-digest.ts'
import { storeIn, type World } from './world.ts'

export type Gathering =
  | { readonly kind: 'together'; readonly nodes: readonly number[] }
  | { readonly kind: 'apart'; readonly why: string }

type Place = Pick<World, 'mesh' | 'honest' | 'stores' | 'keyOf'>

/** What a node says of its own part in the root; undefined while it has none, or is down. */
export function rootState(world: Place, index: number): string | undefined {
  return stateIn(world, index, world.stores.team)
}

/** The same of any store. */
export function stateIn({ mesh }: Pick<Place, 'mesh'>, index: number, id: StoreId): string | undefined {
  if (mesh.peers[index]?.isUp() !== true) return undefined
  return mesh
    .node(index)
    .stores()
    .find((store) => equalBytes(store.id, id))?.state
}

/** The nodes that have come together in the root, or why they have not. */
export function gather(world: Place): Gathering {
  const { honest } = world
  const states = new Map(honest.map((index) => [index, rootState(world, index)]))
  const inside = honest.filter((index) => states.get(index) === 'active')
  const whys = groups(world, inside).map((group) => whyApart(world, group, states))
  const whole = whys.findIndex((why) => why === undefined)
  const nodes = whole < 0 ? undefined : groups(world, inside)[whole]
  if (nodes !== undefined) return { kind: 'together', nodes }
  // Where everybody was removed nobody is left to come together.
  if (inside.length === 0) return { kind: 'together', nodes: [] }
  return { kind: 'apart', why: `team differs: ${whys.join('; ')}` }
}

/** Nodes that hold the same set of the root, all of it applied; one that is behind stands for itself. */
function groups({ mesh, stores }: Place, inside: readonly number[]): readonly (readonly number[])[] {
  const bySet = new Map<string, number[]>()
  const nodes = inside.map((index) => mesh.node(index))
  for (const [nth, digest] of heldDigests(nodes, stores.team).entries()) {
    const index = inside[nth] ?? 0
    const held = digest ?? `behind ${index}`
    bySet.set(held, [...(bySet.get(held) ?? []), index])
  }
  return [...bySet.values()]
}

/** Why these are not all that have to come together; undefined when they are. */
function whyApart(
  world: Place,
  group: readonly number[],
  states: ReadonlyMap<number, string | undefined>,
): string | undefined {
  const [first] = group
  if (first === undefined) return 'nobody'
  const name = `node-${group.join()} as one`
  if (heldDigest(world.mesh.node(first), world.stores.team) === undefined) return `node-${first} is behind`
  for (const index of world.honest) {
    const state = states.get(index)
    const seen = standingOf(world, first, index)
    if (group.includes(index)) {
      if (seen !== 'in') return `${name} is to know that node-${index} is ${seen}`
      continue
    }
    if (state === undefined || state === 'left' || seen === 'stranger' || isCutApart(world, first, index)) continue
    if (seen === 'in') return `${name} without node-${index} (${state})`
    if (state !== 'revoked' && !isParted(world, first, index)) {
      return `${name} has removed node-${index}, which says ${state}`
    }
  }
  return undefined
}

function isCutApart(world: Place, one: number, other: number): boolean {
  const [a, b] = [one, other].map((index) => storeIn(world, index, world.stores.team)?.kernel())
  return a !== undefined && b !== undefined && areCutApart(a, b)
}

/** Whether each has cut its history at an epoch that the other does not know. */
export function areCutApart(one: Kernel, other: Kernel): boolean {
  const [a, b] = [one.base(), other.base()]
  return a !== undefined && b !== undefined && one.epoch(b.epoch) === undefined && other.epoch(a.epoch) === undefined
}

/**
 * Whether a node says that another is out, by epochs below its cut, and the other has epochs unknown here that take rights from their
 * authors and outrank them: its own, or a senior's that has come back here without them.
 */
function isParted(world: Place, at: number, of: number): boolean {
  const [kernel, other] = [at, of].map((index) => storeIn(world, index, world.stores.team)?.kernel())
  const key = world.keyOf(of)
  const cut = kernel?.epoch(kernel.base()?.epoch ?? world.stores.team)
  if (kernel === undefined || other === undefined || key === undefined || cut === undefined) return false
  return kernel.revokedBy(key).every((id) => {
    const removal = kernel.epoch(id)
    if (removal === undefined || removal.seq > cut.seq) return false
    const against = other
      .membership()
      .cutoffsOf(removal.author)
      .flatMap(({ epoch }) => other.epoch(epoch) ?? [])
    const isUnheard = against.every((each) => kernel.epoch(each.id) === undefined)
    return isUnheard && against.some(({ author }) => kernel.membership().mayOutrank(author, id))
  })
}

export type Standing = 'in' | 'removed' | 'stranger'

/** What a node says of another, or of itself. */
export function standingOf(world: Place, at: number, of: number): Standing {
  const kernel = storeIn(world, at, world.stores.team)?.kernel()
  const key = world.keyOf(of)
  if (kernel === undefined || key === undefined) return 'stranger'
  if (kernel.revokedBy(key).length > 0) return 'removed'
  const status = readPeerStatus(kernel.tables().system, key)
  return status === 'active' || status === 'dormant' ? 'in' : 'stranger'
}

/** The nodes that have come together; of those that have not, all that take part. */
export function members(world: Place): readonly number[] {
  const gathering = gather(world)
  if (gathering.kind === 'together') return gathering.nodes
  return world.honest.filter((index) => rootState(world, index) === 'active')
}
