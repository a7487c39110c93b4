/**
 * A bootstrap without a network: the coordinator against log servers, every step in an order that is drawn.
 *
 * @module
 */
import { assert, type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { SeededRandom } from '@lattice/model/testing'
import type { BootstrapEffect, FetchedStore } from '../src/bootstrap-effect.ts'
import { type BootstrapCoordinator, createBootstrapCoordinator } from '../src/bootstrap-coordinator.ts'
import type { Frame } from '../src/frame.ts'
import { DEFAULT_LIMITS } from '../src/limits.ts'
import { createLogClient, type LogClient } from '../src/log-client.ts'
import { performCall } from '../src/perform-call.ts'
import { createLogServer } from '../src/serve-log.ts'
import type { BootstrapPosition } from '../src/session-call.ts'
import type { Effects, SessionMachine } from '../src/session.ts'
import { viewFor } from '../src/store-registry.ts'
import { toFrame } from './drive.ts'
import type { ModelStore } from './model-store.ts'
import type { Pair } from './pair.ts'

export interface ServingPeer {
  readonly id: PublicKey
  readonly store: ModelStore
  /** Changes what it sends; undefined: it says nothing more. */
  readonly alter?: (frame: Frame) => Frame | undefined
  /** Frames after which its connection is lost. */
  readonly lostAfter?: number
  /** Times that it can be reached again after that; each connection lasts as long. */
  readonly returns?: number
  /** Its session is cut and goes on by another path with one of so many frames, on average. */
  readonly movesOneIn?: number
}

export interface DrivenBootstrap {
  readonly end: FetchedStore | 'failed'
  /** Who was barred, and why. */
  readonly barred: readonly (readonly [number, string])[]
  /** Intentions that each peer delivered to the store. */
  readonly delivered: readonly number[]
  /** Times that the store was given what a peer had sent that was barred by then. */
  readonly fromBarred: number
  readonly advances: readonly { readonly peer: number; readonly seq: number }[]
  readonly maxHeld: number
  readonly steps: number
}

interface Side {
  readonly peer: ServingPeer
  client: LogClient | undefined
  server: SessionMachine<unknown> | undefined
  readonly toServer: Frame[]
  readonly toClient: Frame[]
  frames: number
  isGone: boolean
  returns: number
}

export interface DriveOptions {
  readonly pair: Pair
  readonly joiner: ModelStore
  readonly peers: readonly ServingPeer[]
  readonly random: SeededRandom
  readonly positions?: Map<IdKey, BootstrapPosition>
  /** Steps after which the joiner is gone. */
  readonly cutAfter?: number
}

/** Runs until the coordinator is done, or nothing can happen any more. */
export async function driveBootstrap(options: DriveOptions): Promise<DrivenBootstrap> {
  const { pair, joiner, peers, random, positions = new Map<IdKey, BootstrapPosition>(), cutAfter } = options
  let nowMs = 0
  let end: FetchedStore | 'failed' | undefined
  let isWakeDue = false
  const barred: [number, string][] = []
  let fromBarred = 0
  const delivered = peers.map(() => 0)
  const advances: { peer: number; seq: number }[] = []
  const pending: (() => Promise<void>)[] = []
  const sides = peers.map((peer): Side => ({
    peer,
    client: undefined,
    server: undefined,
    toServer: [],
    toClient: [],
    frames: 0,
    isGone: false,
    returns: 0,
  }))
  const indexOf = (id: PublicKey): number => peers.findIndex((peer) => idKey(peer.id) === idKey(id))
  const sideOf = (id: PublicKey): Side => {
    const side = sides[indexOf(id)]
    assert(side !== undefined, 'a peer of the test')
    return side
  }
  const coordinator: BootstrapCoordinator = createBootstrapCoordinator({
    crypto: pair.crypto,
    store: joiner,
    peers: peers.map(({ id }) => id),
    position: (peer) => positions.get(idKey(peer)),
    nowMs: () => nowMs,
    limits: DEFAULT_LIMITS,
  })

  function lose(side: Side): void {
    if (side.isGone) return
    side.isGone = true
    side.toClient.length = 0
    side.toServer.length = 0
    side.client = undefined
    carry(coordinator.lost(side.peer.id))
  }
  function connect(side: Side): void {
    if (side.isGone && side.returns >= (side.peer.returns ?? 0)) {
      carry(coordinator.lost(side.peer.id))
      return
    }
    if (side.isGone) side.returns += 1
    side.isGone = false
    side.frames = 0
    carry(coordinator.connected(side.peer.id))
  }
  /** What was sent and not taken in is gone with the path. */
  function move(side: Side): void {
    side.toClient.length = 0
    side.toServer.length = 0
    side.client = undefined
    carry(coordinator.restarted(side.peer.id))
  }
  const ingests: Extract<BootstrapEffect, { kind: 'ingest' }>[] = []
  async function ingestNext(): Promise<void> {
    const next = ingests.shift()
    assert(next !== undefined, 'each ingest is due once')
    const { number, peer, intentions } = next
    const outcomes = await joiner.ingest(intentions, peer)
    const index = indexOf(peer)
    delivered[index] = (delivered[index] ?? 0) + outcomes.filter(({ kind }) => kind === 'witnessed').length
    carry(coordinator.ingested(number, outcomes))
  }
  function carry(effects: readonly BootstrapEffect[]): void {
    for (const effect of effects) carryOne(effect)
  }
  function carryOne(effect: BootstrapEffect): void {
    switch (effect.kind) {
      case 'connect':
        pending.push(async () => connect(sideOf(effect.peer)))
        break
      case 'ask': {
        const side = sideOf(effect.peer)
        const more = side.client?.ask(effect.request)
        if (more !== undefined) toServer(side, more)
        else {
          side.client = createLogClient({
            storeId: joiner.id,
            requests: [effect.request],
            onAnswer: (answer) => {
              const answered = coordinator.answered(effect.peer, answer)
              carry(answered)
              const bar = answered.find((one) => one.kind === 'bar' && one.peer === effect.peer)
              return bar?.kind === 'bar'
                ? [{ kind: 'fail', failure: { kind: 'bootstrap', why: bar.why } }]
                : [{ kind: 'call', call: { kind: 'drain' } }]
            },
          })
          side.server = createLogServer({ resolve: () => viewFor(side.peer.store, joinerKey, () => true), pages: true })
          toServer(side, side.client.start())
        }
        break
      }
      case 'ingest':
        if (barred.some(([index]) => index === indexOf(effect.peer))) fromBarred += 1
        ingests.push(effect)
        // The store takes them in one after the other, whenever it does.
        pending.push(ingestNext)
        break
      case 'advance':
        pending.push(async () => {
          positions.set(idKey(effect.peer), effect.position)
          advances.push({ peer: indexOf(effect.peer), seq: effect.position.seq })
          carry(coordinator.advanced())
        })
        break
      case 'bar':
        barred.push([indexOf(effect.peer), effect.why])
        sideOf(effect.peer).isGone = true
        break
      case 'wake':
        isWakeDue = true
        break
      case 'done':
        end = effect.outcome
        break
      case 'failed':
        end = 'failed'
        break
    }
  }
  const joinerKey = pair.b.signer.publicKey
  function toServer(side: Side, effects: Effects<void>): void {
    for (const effect of effects) {
      if (effect.kind === 'send') side.toServer.push(toFrame(effect.frame))
      else if (effect.kind === 'call') toServer(side, side.client?.answered({ kind: 'drained' }) ?? [])
      // A violation of the peer's, found by the client itself.
      else if (effect.kind === 'fail' && effect.failure.kind === 'violation') {
        barred.push([indexOf(side.peer.id), effect.failure.why])
        lose(side)
      }
    }
  }
  async function serve(side: Side, effects: Effects<unknown>): Promise<void> {
    for (const effect of effects) {
      if (effect.kind === 'send') {
        const frame = side.peer.alter === undefined ? toFrame(effect.frame) : side.peer.alter(toFrame(effect.frame))
        if (frame !== undefined && !side.isGone) side.toClient.push(frame)
      } else if (effect.kind === 'call' || effect.kind === 'pull') {
        const answer = await performCall(effect.call, { onIngested: () => undefined })
        await serve(side, side.server?.answered(answer) ?? [])
      } else if (effect.kind === 'fail') throw new Error(`the server failed: ${JSON.stringify(effect.failure)}`)
    }
  }
  async function deliver(side: Side): Promise<void> {
    const request = side.toServer.shift()
    if (request !== undefined) return serve(side, side.server?.receive(request) ?? [])
    const answer = side.toClient.shift()
    if (answer === undefined || side.client === undefined) return
    side.frames += 1
    if (side.frames > (side.peer.lostAfter ?? Number.POSITIVE_INFINITY)) return lose(side)
    toServer(side, side.client.receive(answer))
    const { movesOneIn } = side.peer
    if (movesOneIn !== undefined && !side.isGone && random.below(movesOneIn) === 0) move(side)
  }

  let maxHeld = 0
  let steps = 0
  carry(coordinator.start())
  for (; end === undefined && steps < (cutAfter ?? 200_000); steps += 1) {
    const busy = sides.filter((side) => !side.isGone && side.toServer.length + side.toClient.length > 0)
    const choice = random.below(busy.length + pending.length + 1)
    if (choice < busy.length) await deliver(busy[choice] ?? assertNever())
    else if (choice < busy.length + pending.length) await pending.splice(choice - busy.length, 1)[0]?.()
    else if (busy.length + pending.length === 0) {
      if (!isWakeDue) break
      nowMs += DEFAULT_LIMITS.bootstrapOverdueMs
      isWakeDue = false
      carry(coordinator.tick())
      // Nobody answers any more: the deadline of a step would end their sessions.
      if (nowMs > 100 * DEFAULT_LIMITS.bootstrapOverdueMs) for (const side of sides) lose(side)
    }
    maxHeld = Math.max(maxHeld, joiner.floatingCount())
  }
  if (end === undefined && cutAfter === undefined) throw new Error('the bootstrap waits for something that cannot come')
  return { end: end ?? 'failed', barred, delivered, fromBarred, advances, maxHeld, steps }
}

function assertNever(): never {
  throw new Error('an index within its list')
}
