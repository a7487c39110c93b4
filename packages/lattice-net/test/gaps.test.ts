import {
  encodeUniversalOp,
  idKey,
  type IntentionId,
  type ParsedIntention,
  signIntention,
  toHash,
  toHex,
} from '@lattice/model'
import type { WitnessedBatch } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import type { GossipFactory } from '../src/gossip.ts'
import { createTreeGossip } from '../src/gossip/tree-gossip.ts'
import { GAP_FETCHES_MAX, GAP_ROUNDS_MAX } from '../src/limits.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'

/** Gossip that hands nothing on while told so. */
function lossy(): { readonly gossip: GossipFactory; loses: boolean } {
  const gossip: GossipFactory = (deps) => {
    const inner = createTreeGossip(deps)
    return { ...inner, publish: (store, batch) => (control.loses ? undefined : inner.publish(store, batch)) }
  }
  const control = { gossip, loses: false }
  return control
}

interface GapMesh {
  readonly mesh: Mesh
  readonly control: ReturnType<typeof lossy>
  /** Requests that each node answered: the ids asked for, or the target of a chain. */
  readonly served: readonly string[][]
}

async function createGapMesh(nodes: number): Promise<GapMesh> {
  const control = lossy()
  const mesh = await openMesh({ nodes, gossip: control.gossip, register: false })
  const served = mesh.nodes.map(({ store, service }): string[] => {
    const log: string[] = []
    service.register({
      ...store,
      read: (ids, maxBytes) => {
        log.push(`ids ${ids.map((id) => toHex(id).slice(0, 8)).join(' ')}`)
        return store.read(ids, maxBytes)
      },
      readChain: (target, since, limit) => {
        log.push(`chain ${toHex(target).slice(0, 8)} since ${since === undefined ? '' : toHex(since).slice(0, 8)}`)
        return store.readChain(target, since, limit)
      },
    })
    return log
  })
  mesh.connectAll()
  await mesh.advance(5_000)
  for (const { events } of mesh.nodes) events.splice(0)
  return { mesh, control, served }
}

const sessions = (node: MeshNode): number =>
  node.events.filter((event) => 'kind' in event && event.kind === 'sync_result').length
const misdeeds = (node: MeshNode): readonly string[] =>
  node.events.flatMap((event) => ('kind' in event && event.kind === 'misbehaviour' ? [event.code] : []))
const short = (parsed: ParsedIntention | undefined): string => toHex(parsed?.id ?? new Uint8Array(0)).slice(0, 8)

describe('a gap', () => {
  test('of the author’s own chain is filled by the author, from what is here on, without a session', async () => {
    const { mesh, control, served } = await createGapMesh(3)
    const known = mesh.node(0).store.write(2)
    await mesh.until('convergence', mesh.converged)
    control.loses = true
    const lost = mesh.node(0).store.write(30)
    await mesh.advance(100)
    control.loses = false
    mesh.node(0).store.write(1)
    await mesh.until('convergence', mesh.converged, 2_000)
    const request = `chain ${short(lost.at(-1))} since ${short(known.at(-1))}`
    // Of the others one may have it from the other, which passes on what it fetched.
    expect(served.map((requests) => [...new Set(requests)])).toEqual([[request], [], []])
    expect(served[0]?.length).toBeLessThanOrEqual(2)
    expect(mesh.nodes.map(sessions)).toEqual([0, 0, 0])
  })

  test('that is filled is followed by a session only with who holds more than is here', async () => {
    const { mesh, control } = await createGapMesh(2)
    control.loses = true
    mesh.node(0).store.write(5)
    mesh.node(1).store.write(9)
    control.loses = false
    const [last] = mesh.node(0).store.write(1)
    await mesh.until('filled', () => last !== undefined && mesh.node(1).store.get(last.id) !== undefined, 2_000)
    await mesh.advance(1_500)
    expect(mesh.nodes.map(sessions)).toEqual([0, 0])
    // What is lacking there shows by heartbeats.
    await mesh.until('convergence', mesh.converged, 10_000)
  })

  test('of what another wrote is filled by the author of what floats first', async () => {
    const { mesh, control, served } = await createGapMesh(3)
    mesh.node(2).store.write(1)
    await mesh.until('convergence', mesh.converged)
    control.loses = true
    const lost = mesh.node(0).store.write(5)
    await mesh.node(2).store.ingest(lost, mesh.node(0).id)
    control.loses = false
    mesh.node(2).store.write(3)
    await mesh.until('convergence', mesh.converged, 2_000)
    expect(served[2]).toEqual([`ids ${short(lost.at(-1))}`])
    // What that lacked in its turn is of the chain of its author.
    expect(served[0]?.[0]).toContain(`chain ${short(lost.at(-2))}`)
    expect(served[1]).toEqual([])
    expect(mesh.nodes.map(sessions)).toEqual([0, 0, 0])
  })

  test('is looked for once, however many arrivals lack the same', async () => {
    const { mesh, control, served } = await createGapMesh(2)
    control.loses = true
    mesh.node(0).store.write(5)
    control.loses = false
    for (let index = 0; index < 12; index += 1) mesh.node(0).store.write(1)
    await mesh.until('convergence', mesh.converged, 2_000)
    expect(served[0]).toHaveLength(1)
  })

  test('is filled by others when the author is gone', async () => {
    const { mesh, control, served } = await createGapMesh(3)
    control.loses = true
    const lost = mesh.node(0).store.write(5)
    const last = mesh.node(0).store.write(1)
    await mesh.node(2).store.ingest(lost, mesh.node(0).id)
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    mesh.network.disconnect(mesh.node(0).id, mesh.node(1).id)
    control.loses = false
    await mesh.node(2).store.ingest(last, mesh.node(0).id)
    await mesh.until(
      'node 1 has it',
      () => mesh.node(1).store.get(last[0]?.id ?? (mesh.storeId as never)) !== undefined,
      2_000,
    )
    expect(served[2]).toEqual([`chain ${short(lost.at(-1))} since ${toHex(mesh.storeId).slice(0, 8)}`])
    expect(sessions(mesh.node(1))).toBe(0)
  })

  test.each([
    // It sent what it would not give the causes of: noted, and no more.
    ['is kept back', { missing: (ids: readonly IntentionId[]) => ids }, ['cause_withheld']],
    // Its author may have been removed since: nobody is blamed for what counts no more.
    ['is left out since', {}, []],
  ] as const)('whose filling %s becomes a session', async (_, changes, noted) => {
    const { mesh, control } = await createGapMesh(2)
    const { store, service } = mesh.node(0)
    await service.unregister(mesh.storeId)
    service.register({ ...store, readChain: () => [], ...changes })
    await mesh.advance(5_000)
    for (const { events } of mesh.nodes) events.splice(0)
    control.loses = true
    mesh.node(0).store.write(5)
    control.loses = false
    mesh.node(0).store.write(1)
    await mesh.until('convergence', mesh.converged, 20_000)
    await mesh.advance(1_000)
    expect(sessions(mesh.node(1))).toBeGreaterThan(0)
    expect([...new Set(misdeeds(mesh.node(1)))]).toEqual(noted)
    expect(mesh.node(1).service.connectedPeers()).toHaveLength(1)
  })

  // What was written beside the epoch by a member that was removed is gone as well, and what cites it is not.
  test('that lies beside the epoch at which its sender cut history counts against nobody', async () => {
    const { mesh, control } = await createGapMesh(2)
    const { store, service } = mesh.node(0)
    const [epoch] = store.write(1) as [ParsedIntention]
    for (const node of mesh.nodes) node.store.declare(new Map([[idKey(epoch.id), 1n]]))
    await mesh.until('convergence', mesh.converged)
    expect(mesh.node(1).store.over(epoch.id)).toBeDefined()
    await service.unregister(mesh.storeId)
    store.prune(epoch.id)
    service.register({ ...store, readChain: () => [], missing: (ids) => ids })
    await mesh.advance(5_000)
    for (const { events } of mesh.nodes) events.splice(0)
    control.loses = true
    store.write(5)
    control.loses = false
    store.write(1)
    await mesh.advance(20_000)
    expect(sessions(mesh.node(1))).toBeGreaterThan(0)
    expect(misdeeds(mesh.node(1))).toEqual([])
    expect(mesh.node(1).store.digest().witnessCount).toBe(store.digest().witnessCount)
  })

  test('cut at each message still ends in convergence', async () => {
    for (let cut = 0; cut < 24; cut += 1) {
      const { mesh, control } = await createGapMesh(2)
      control.loses = true
      mesh.node(0).store.write(8)
      control.loses = false
      mesh.node(0).store.write(1)
      for (let step = 0; step < cut; step += 1) {
        const delayMs = mesh.scheduler.nextDelayMs()
        if (delayMs !== undefined) await mesh.scheduler.advanceAsync(delayMs)
      }
      mesh.network.disconnect(mesh.node(0).id, mesh.node(1).id)
      await mesh.until('convergence', mesh.converged, 60_000)
      await mesh.close()
    }
  })
})

describe('a hostile gap', () => {
  type Forge = (prev: Uint8Array, n: number) => ParsedIntention

  interface Attack {
    readonly mesh: Mesh
    readonly served: readonly string[][]
    readonly forge: Forge
    /** Pushes to node 0 as the hostile peer. */
    readonly push: (intentions: readonly ParsedIntention[]) => Promise<void>
    readonly asked: () => number
  }

  /** Nodes 0 and 1 are honest; a third peer writes what it likes, and answers requests for causes as it likes. */
  async function attack(answer: (id: Uint8Array, forge: Forge) => readonly ParsedIntention[]): Promise<Attack> {
    const { mesh, served } = await createGapMesh(2)
    const hostile = mesh.addNode({ register: false })
    let asked = 0
    let count = 0
    const forge: Forge = (prev, n) =>
      signIntention(mesh.crypto, hostile.signer, {
        intention: {
          author: hostile.id,
          timestamp: { wall: mesh.scheduler.clock.wallMs() - 1_000, counter: 0 },
          storePrev: toHash(prev),
          causalDeps: [mesh.storeId],
          hints: { supersedesAll: false, ephemeral: false },
          ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: new Uint8Array([n & 255, n >> 8]) }),
        },
        close: true,
      })
    // Its log answers without looking at what is there; its gossip hands on what it is told to.
    let listener: ((batch: WitnessedBatch) => void) | undefined
    const respond = (id: Uint8Array): readonly ParsedIntention[] => {
      asked += 1
      return answer(id, (prev) => forge(prev, (count += 1)))
    }
    hostile.service.register({
      ...hostile.store,
      onWitnessed: (next) => {
        listener = next
        return () => undefined
      },
      readChain: (target) => respond(target),
      read: (ids) => ({ intentions: ids.flatMap((id) => respond(id)), rest: [] }),
    })
    hostile.service.want(mesh.node(0).id, [])
    await mesh.advance(5_000)
    for (const { events } of mesh.nodes) events.splice(0)
    for (const log of served) log.splice(0)
    return {
      mesh,
      served,
      forge,
      push: async (intentions) => {
        listener?.({ intentions, source: undefined })
        await mesh.advance(1_000)
      },
      asked: () => asked,
    }
  }
  const invented = (n: number): Uint8Array => new Uint8Array(32).fill(1 + n)

  test('of a cause that does not exist ends, and counts against who sent it', async () => {
    const { mesh, forge, push, asked, served } = await attack(() => [])
    await push([forge(invented(1), 1)])
    await mesh.advance(20_000)
    // The author, who is the sender; then a session. Nobody else is known to hold more.
    expect(asked()).toBe(1)
    expect(served[1]).toEqual([])
    expect(misdeeds(mesh.node(0))).toEqual(['cause_withheld'])
    expect(mesh.converged()).toBe(true)
  })

  test('that was looked for in vain is not looked for again', async () => {
    const { forge, push, asked } = await attack(() => [])
    for (let n = 0; n < 20; n += 1) await push([forge(invented(1), n)])
    expect(asked()).toBe(1)
  })

  test('of an endless chain ends after a bounded number of rounds, and counts against who sent it', async () => {
    const made = new Map<string, ParsedIntention>()
    let n = 0
    // Each intention that is asked for must hash to what was asked: the chain is made from its far end.
    const { mesh, forge, push, asked } = await attack((id) => {
      const found = made.get(toHex(id))
      return found === undefined ? [] : [found]
    })
    let last = forge(invented(7), 0)
    for (; n < 200; n += 1) {
      made.set(toHex(last.id), last)
      const next = forge(last.id, n + 1)
      last = next
    }
    await push([last])
    await mesh.advance(60_000)
    expect(asked()).toBeGreaterThanOrEqual(GAP_ROUNDS_MAX)
    expect(asked()).toBeLessThanOrEqual(2 * GAP_ROUNDS_MAX)
    expect(misdeeds(mesh.node(0))).toContain('causes_endless')
    expect(mesh.node(0).store.floatingCount()).toBeLessThan(20)
  })

  test('of many invented causes at once costs a bounded number of requests, one at a time', async () => {
    const { mesh, forge, push, asked } = await attack(() => [])
    for (let round = 0; round < 4; round += 1) {
      await push(Array.from({ length: 200 }, (_, n) => forge(mesh.crypto.blake3(invented(round), invented(n)), n)))
    }
    await mesh.advance(60_000)
    expect(asked()).toBeLessThanOrEqual(4 * GAP_FETCHES_MAX)
    expect(asked()).toBeGreaterThan(0)
  })

  test.each<[string, (id: Uint8Array, forge: Forge) => readonly ParsedIntention[], string]>([
    ['something else', (_, forge) => [forge(invented(2), 0)], 'fetched_chain_misses_target'],
    [
      'what does not hang together',
      (_, forge) => [forge(invented(2), 0), forge(invented(3), 0)],
      'fetched_chain_broken',
    ],
  ])('answered by %s breaks the protocol', async (_, answer, why) => {
    const { mesh, forge, push } = await attack(answer)
    await push([forge(invented(1), 1)])
    await mesh.advance(1_000)
    expect(misdeeds(mesh.node(0))).toEqual([why])
    expect(mesh.node(0).service.connectedPeers()).toHaveLength(1)
  })
})
