/**
 * What admins do to peers, and peers to themselves: rights are taken, given back, and taken by several at once, on both
 * sides of a cut and in the middle of a crash.
 *
 * Who is asked to do it is an admin by what it knows itself, which may be out of date by then: what is refused is refused
 * by a typed error.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StoragePoint } from '@lattice/storage'
import { putBurst, submitWatched } from './acts.ts'
import { healLater } from './faults.ts'
import { rootState } from './gathering.ts'
import { track } from './track.ts'
import { storeIn, type World } from './world.ts'

type Act = (world: World) => void

/** Time between the two halves of an act in two places, at most. */
const MOMENT_MS = 400
/** Storage points until a crash in the middle of an epoch: about as many as taking one in has. */
const MAX_POINTS = 12
const POINTS: readonly StoragePoint[] = ['write', 'written', 'commit', 'committed', 'open', 'opened', 'close', 'closed']

/** Those that stand more than once come more often. */
export const MEMBERSHIP_ACTS: readonly (readonly [weight: number, name: string, act: Act])[] = [
  [4, 'revoke', (world) => revoke(world, adminOf(world))],
  [2, 'revoke_self', revokeSelf],
  [3, 'demote', demote],
  [4, 'promote_again', promoteAgain],
  [3, 'dormant', dormantOrBack],
  [4, 'invite_again', inviteAgain],
  [6, 'join_again', joinAgain],
  [3, 'revoke_mutually', revokeMutually],
  [2, 'revoke_at_once', revokeAtOnce],
  [4, 'revoke_offline', revokeOffline],
  [2, 'revoke_and_crash', revokeAndCrash],
  [2, 'split_for_long', splitForLong],
]

export function up({ mesh, honest }: Pick<World, 'mesh' | 'honest'>): readonly number[] {
  return honest.filter((index) => mesh.peers[index]?.isUp() === true)
}

export function pick<Item>({ random }: World, items: readonly Item[]): Item | undefined {
  return items[random.below(Math.max(1, items.length))]
}

/** Nodes that are admins of the root by what they know. */
function admins(world: World): readonly number[] {
  return up(world).filter((index) => {
    const key = world.keyOf(index)
    const view = storeIn(world, index, world.stores.team)?.kernel().membership()
    return key !== undefined && view?.isAdmin(key) === true
  })
}

export function adminOf(world: World): number | undefined {
  return pick(world, admins(world))
}

/** Anybody else, the hostile one and those that are out included. */
export function otherThan(world: World, index: number): number | undefined {
  const { honest, hostile, keyOf } = world
  const all = hostile === undefined ? honest : [...honest, hostile]
  return pick(
    world,
    all.filter((each) => each !== index && keyOf(each) !== undefined),
  )
}

export function nameOf({ keyOf }: World, index: number): string {
  const key = keyOf(index)
  return key === undefined ? '' : toHex(key)
}

/** A node that is down by now removes nobody; without a target it is any other. */
export function revoke(world: World, index: number | undefined, chosen?: number): void {
  if (index === undefined) return
  const target = chosen ?? otherThan(world, index)
  const store = storeIn(world, index, world.stores.team)
  if (target === undefined || store === undefined) return
  world.record.unsteady.add(target)
  track(world, { what: `revoke node-${target}`, index, work: () => store.revokePeer(nameOf(world, target)) })
}

function revokeSelf(world: World): void {
  const index = pick(world, up(world))
  const store = index === undefined ? undefined : storeIn(world, index, world.stores.team)
  if (index === undefined || store === undefined) return
  world.record.unsteady.add(index)
  const force = world.random.below(2) === 0
  track(world, { what: 'revoke itself', index, work: () => store.revokeSelf({ force }) })
}

function setRole(world: World, role: system.Role): void {
  const index = adminOf(world)
  const target = index === undefined ? undefined : otherThan(world, index)
  const store = index === undefined ? undefined : storeIn(world, index, world.stores.team)
  if (index === undefined || target === undefined || store === undefined) return
  world.record.unsteady.add(target)
  const work = (): Promise<unknown> => store.setPeerRole(nameOf(world, target), role)
  track(world, { what: `give node-${target} the role ${role}`, index, work })
}

function demote(world: World): void {
  setRole(world, world.random.below(2) === 0 ? system.Role.READER : system.Role.WRITER)
}

function promoteAgain(world: World): void {
  setRole(world, world.random.below(3) === 0 ? system.Role.WRITER : system.Role.ADMIN)
}

function dormantOrBack(world: World): void {
  const index = adminOf(world)
  const target = index === undefined ? undefined : otherThan(world, index)
  const store = index === undefined ? undefined : storeIn(world, index, world.stores.team)
  if (index === undefined || target === undefined || store === undefined) return
  world.record.unsteady.add(target)
  const isDormant = store
    .peers()
    .some(({ publicKey, status }) => toHex(publicKey) === nameOf(world, target) && status === system.PeerStatus.DORMANT)
  const status = isDormant ? system.PeerStatus.ACTIVE : system.PeerStatus.DORMANT
  const work = (): Promise<unknown> => store.setPeerStatus(nameOf(world, target), status)
  track(world, { what: `make node-${target} ${isDormant ? 'active' : 'dormant'}`, index, work })
}

/** A token for whoever was removed: older ones let nobody back in. */
function inviteAgain(world: World): void {
  const { record, random } = world
  const index = adminOf(world)
  const store = index === undefined ? undefined : storeIn(world, index, world.stores.team)
  if (index === undefined || store === undefined) return
  const uses = 1 + random.below(2)
  track(world, { what: 'invite again', index, work: () => store.invite({ uses }) }, ({ token, tokenHash }) =>
    record.tokens.push({ token, tokenHash, uses }),
  )
}

/** Somebody who is out tries a token, leaving what it has before or not. */
function joinAgain(world: World): void {
  const { record, random, mesh, stores } = world
  const out = up(world).filter((each) => ['revoked', 'left'].includes(rootState(world, each) ?? ''))
  const index = pick(world, out)
  // The newest is most often one that was made since.
  const chosen = random.below(3) === 0 ? pick(world, record.tokens) : record.tokens.at(-1)
  if (index === undefined || chosen === undefined) return
  const node = mesh.node(index)
  const leaves = rootState(world, index) === 'revoked' && random.below(2) === 0
  const work = async (): Promise<void> => {
    if (leaves) await node.store(stores.team).leave({ force: true })
    await node.join(chosen.token)
  }
  track(world, { what: leaves ? 'leave and join again' : 'join again', index, work })
}

/** Two admins on two sides of a cut remove each other. */
function revokeMutually(world: World): void {
  const { mesh, random } = world
  const [one, ...others] = shuffled(world, admins(world))
  const [other] = others
  if (one === undefined || other === undefined) return
  const sides: readonly [number[], number[]] = [[one], [other]]
  for (const index of everybody(world)) {
    if (index !== one && index !== other) sides[random.below(2)]?.push(index)
  }
  mesh.partition(...sides)
  later(world, () => revoke(world, one, other))
  later(world, () => revoke(world, other, one))
  healLater(world)
}

/** Several admins take rights in one moment, of the same peers or of each other. */
function revokeAtOnce(world: World): void {
  for (const index of admins(world).slice(0, 3)) revoke(world, index)
}

/** A peer is removed while it is away, writes on, and comes back. */
function revokeOffline(world: World): void {
  const { mesh, stores } = world
  const index = adminOf(world)
  const target = pick(
    world,
    up(world).filter((each) => each !== index),
  )
  if (index === undefined || target === undefined) return
  mesh.partition(
    [target],
    everybody(world).filter((each) => each !== target),
  )
  const writeOn = (): void => {
    if (storeIn(world, target, stores.team) === undefined) return
    putBurst(world, target)
    submitWatched(world, target)
  }
  later(world, writeOn)
  later(world, () => revoke(world, index, target))
  later(world, writeOn)
  healLater(world)
}

/** Whoever makes an epoch, or takes it in, loses power in the middle of that. */
function revokeAndCrash(world: World): void {
  const { mesh, random, plan } = world
  const index = adminOf(world)
  if (index === undefined) return
  const victim = random.below(2) === 0 ? index : pick(world, up(world))
  if (victim !== undefined && plan.faults.includes('crash_at_point')) {
    mesh.crashAt(victim, POINTS[random.below(POINTS.length)] ?? 'commit', {
      nth: 1 + random.below(MAX_POINTS),
      tear: random.below(2) === 0,
    })
  }
  revoke(world, index)
}

/** A cut that outlasts what both sides do meanwhile. */
function splitForLong(world: World): void {
  const sides: readonly [number[], number[]] = [[], []]
  for (const index of everybody(world)) sides[world.random.below(2)]?.push(index)
  world.mesh.partition(...sides.filter((side) => side.length > 0))
}

export function everybody(world: World): readonly number[] {
  const { hostile, mesh } = world
  const isUp = hostile !== undefined && mesh.peers[hostile]?.isUp() === true
  return isUp ? [...up(world), hostile] : up(world)
}

export function later(world: World, task: () => void): void {
  world.mesh.time.scheduler.after(world.random.below(MOMENT_MS), () => {
    if (world.record.phase === 'chaos') task()
  })
}

function shuffled<Item>(world: World, items: readonly Item[]): readonly Item[] {
  const left = [...items]
  return items.map(() => left.splice(world.random.below(left.length), 1)[0]).filter((item) => item !== undefined)
}
