/** A peer that was removed: what it is served, what is taken from it, and how it learns. */
import {
  createAbortController,
  createSigner,
  intentionId,
  type IntentionId,
  LatticeError,
  type ParsedIntention,
  type PublicKey,
  toHex,
  toSeed,
} from '@lattice/model'
import type { Transport } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { gossipTopic } from '../src/gossip/gossip-topic.ts'
import type { NetworkEvent, SyncOutcome } from '../src/index.ts'
import {
  MAX_REVOKING_EPOCHS,
  REMOVAL_PROOF_PAUSE_MS,
  REVOCATION_ADMITTED_BY_MAX,
  REVOCATION_KNOWN_MAX,
} from '../src/limits.ts'
import { createRevocationAsker, createRevocationServer, type RevokedStore } from '../src/revocation.ts'
import { type StoreQuestion, storeQuestions } from '../src/testing/store-questions.ts'
import { feed, toFrame } from './drive.ts'
import { type Mesh, openMesh } from './mesh.ts'
import { createPair } from './pair.ts'

class DiskIsFull extends LatticeError {
  override readonly name = 'DiskIsFull'
  readonly code = 'DISK_FULL'
  override readonly detail = {}
}

const hexes = (ids: readonly IntentionId[]): string[] => ids.map(toHex).sort()

/** Has node 0 remove node `peer` by what it writes now; nodes that hold it go by it. */
function revoke(mesh: Mesh, peer: number): ParsedIntention {
  const [epoch] = mesh.node(0).store.write(1)
  if (epoch === undefined) throw new Error('something was written')
  const removed = toHex(mesh.node(peer).id)
  for (const { store } of mesh.nodes) {
    store.setEpochs([epoch], false)
    store.setAccess((key) => (toHex(key) === removed && store.missing([epoch.id]).length === 0 ? 'revoked' : 'full'))
  }
  return epoch
}

function notices(mesh: Mesh, index: number): Extract<NetworkEvent, { kind: 'revoked' }>[] {
  return mesh.node(index).events.flatMap((event) => ('kind' in event && event.kind === 'revoked' ? [event] : []))
}

async function syncOnce(mesh: Mesh, index: number): Promise<SyncOutcome[]> {
  const outcomes: SyncOutcome[] = []
  const collect = async (): Promise<void> => {
    const { service } = mesh.node(index)
    for await (const outcome of service.sync(mesh.storeId, createAbortController().signal)) outcomes.push(outcome)
  }
  await mesh.settle(collect())
  return outcomes
}

describe('a peer that was removed over a connection that lasts', () => {
  test('learns it where nobody sends it anything of the store, and it writes nothing', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'lasting' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    const peers = [keeper.id, removed.id]
    for (const { service } of mesh.nodes) service.circles([{ owner: mesh.storeId, peers, stores: [mesh.storeId] }])
    const [epoch] = keeper.store.write(1)
    if (epoch === undefined) throw new Error('something was written')
    await mesh.until('both hold it', mesh.converged)
    await mesh.advance(60_000)
    const connections = removed.events.filter((event) => 'kind' in event && event.kind === 'peer_connected').length
    // What it holds already is what removed it: to the keeper alone, which goes on to another topic with its next write.
    keeper.store.setAccess((key) => (toHex(key) === toHex(removed.id) ? 'revoked' : 'full'))
    keeper.store.setEpochs([epoch], true)
    keeper.store.write(1)
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    expect(notices(mesh, 1)).toEqual([
      { kind: 'revoked', storeId: mesh.storeId, peer: keeper.id, epochs: [epoch.id], held: true },
    ])
    expect(removed.events.filter((event) => 'kind' in event && event.kind === 'peer_connected')).toHaveLength(
      connections,
    )
  })
})

describe('a peer that was removed while it was away', () => {
  test('learns it as it connects, gets what it lacks up to there and nothing more, and nothing of it is taken', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'away' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    for (let run = 0; run < 20; run += 1) keeper.store.write(100)
    const epoch = revoke(mesh, 1)
    const known = hexes(keeper.store.ids())
    keeper.store.write(30)
    const own = removed.store.write(7)
    removed.service.want(keeper.id, [])
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    expect(notices(mesh, 1)).toEqual([
      { kind: 'revoked', storeId: mesh.storeId, peer: keeper.id, epochs: [epoch.id], held: true },
    ])
    removed.store.write(3)
    await mesh.advance(120_000)
    expect(hexes(removed.store.ids()).filter((id) => known.includes(id))).toEqual(known)
    expect(removed.store.digest().witnessCount).toBe(known.length + 10)
    expect(keeper.store.missing(own.map(({ id }) => id))).toHaveLength(7)
    expect(keeper.store.ingested()).toEqual({ calls: 0, intentions: 0 })
    expect(keeper.service.peerDigest(removed.id, mesh.storeId)).toBeUndefined()
    // It knows now: it is told once.
    expect(notices(mesh, 1)).toHaveLength(1)
  })

  test('is told nothing by who is out here itself, once history is cut above that', async () => {
    for (const isCut of [false, true]) {
      const mesh = await openMesh({ nodes: 2, seed: `out for good: ${String(isCut)}` })
      const [keeper, removed] = [mesh.node(0), mesh.node(1)]
      revoke(mesh, 1)
      if (isCut) removed.store.cutAbove()
      removed.store.setAccess((key) => (toHex(key) === toHex(keeper.id) ? 'revoked' : 'full'))
      removed.service.want(keeper.id, [])
      await mesh.advance(120_000)
      expect(notices(mesh, 1).length > 0).toBe(!isCut)
    }
  })

  test('asks again over the connection it has, where its disk was full as it was answered', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'full' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    const epoch = revoke(mesh, 1)
    let refused = 0
    removed.store.beforeIngest = async () => {
      refused += 1
      throw new DiskIsFull('there is no room')
    }
    removed.service.want(keeper.id, [])
    await mesh.until('it has asked more than once', () => refused > 1, 20_000)
    expect(notices(mesh, 1)).toEqual([])
    removed.store.beforeIngest = async () => undefined
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    expect(removed.store.missing([epoch.id])).toEqual([])
    // And asks no more.
    const { calls } = removed.store.ingested()
    await mesh.advance(600_000)
    expect(removed.store.ingested().calls).toBe(calls)
  })

  test('is told in whatever protocol it asks, and by the typed refusal', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'typed' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    removed.service.want(keeper.id, [])
    await mesh.until('connection', () => removed.service.connectedPeers().length === 1)
    await mesh.advance(5_000)
    mesh.network.partition([[keeper.id], [removed.id]])
    await mesh.advance(60_000)
    const epoch = revoke(mesh, 1)
    mesh.network.heal()
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    expect(removed.store.missing([epoch.id])).toEqual([])
    expect(await syncOnce(mesh, 1)).toMatchObject([{ kind: 'failed', error: { code: 'REVOKED' } }])
    expect(await syncOnce(mesh, 0)).toEqual([])
  })

  test('learns by its next push over a connection that goes on', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'push' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    removed.service.want(keeper.id, [])
    await mesh.until('connection', () => removed.service.connectedPeers().length === 1)
    await mesh.advance(5_000)
    const [epoch] = keeper.store.write(1)
    if (epoch === undefined) throw new Error('something was written')
    await mesh.until('the epoch is there', mesh.converged)
    // As if it had come to the one and not to the other.
    keeper.store.setEpochs([epoch], false)
    keeper.store.setAccess(() => 'revoked')
    const own = removed.store.write(2)
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    expect(notices(mesh, 1)).toMatchObject([{ epochs: [epoch.id], held: true }])
    expect(keeper.store.missing(own.map(({ id }) => id))).toHaveLength(2)
  })

  test('is dropped by its neighbours at once, and hears of nothing that follows', async () => {
    const mesh = await openMesh({ nodes: 3, seed: 'dropped' })
    mesh.connectAll()
    await mesh.until('connections', () => mesh.nodes.every(({ service }) => service.connectedPeers().length === 2))
    await mesh.advance(10_000)
    const epoch = revoke(mesh, 2)
    await mesh.until('all have the epoch', mesh.converged)
    const after = [mesh.node(0), mesh.node(1)].flatMap(({ store }) => store.write(1))
    await mesh.advance(120_000)
    const ids = after.map(({ id }) => id)
    expect(mesh.node(0).store.missing(ids)).toEqual([])
    expect(mesh.node(1).store.missing(ids)).toEqual([])
    expect(mesh.node(2).store.missing([epoch.id])).toEqual([])
    expect(mesh.node(2).store.missing(ids)).toEqual(ids)
  })

  test('takes part again as soon as it is admitted', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'again' })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    revoke(mesh, 1)
    removed.service.want(keeper.id, [])
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    for (const { store } of mesh.nodes) store.setAccess(() => 'full')
    keeper.store.write(4)
    removed.store.write(5)
    await syncOnce(mesh, 1)
    expect(mesh.converged()).toBe(true)
  })

  test('and was admitted again shows that to who does not know, whoever let it in being gone', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'shows' })
    const [keeper, back] = [mesh.node(0), mesh.node(1)]
    const epoch = revoke(mesh, 1)
    back.store.setAccess(() => 'full')
    const [admission] = back.store.write(1)
    if (admission === undefined) throw new Error('something was written')
    const after = back.store.write(3)
    const isAdmitted = (): boolean => keeper.store.missing([admission.id]).length === 0
    keeper.store.setAccess((key) => (toHex(key) === toHex(back.id) && !isAdmitted() ? 'revoked' : 'full'))
    back.store.setReadmission({ by: keeper.id, record: admission.id })
    back.service.want(keeper.id, [])
    await mesh.until('it is known', isAdmitted)
    expect(keeper.store.missing(after.map(({ id }) => id))).toHaveLength(3)
    await syncOnce(mesh, 1)
    expect(mesh.converged()).toBe(true)
    expect(back.store.missing([epoch.id])).toEqual([])
  })

  test('and says in vain that it was admitted again is asked for that again after ten minutes', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'claims' })
    const [keeper, liar] = [mesh.node(0), mesh.node(1)]
    const epoch = revoke(mesh, 1)
    liar.store.setAccess(() => 'full')
    liar.store.setReadmission({ by: keeper.id, record: epoch.id })
    liar.service.want(keeper.id, [])
    await mesh.until('it learns', () => notices(mesh, 1).length > 0)
    await mesh.advance(5_000)
    const [admission] = liar.store.write(1)
    if (admission === undefined) throw new Error('something was written')
    liar.store.setReadmission({ by: keeper.id, record: admission.id })
    for (const isKnown of [false, true]) {
      if (isKnown) await mesh.advance(REMOVAL_PROOF_PAUSE_MS)
      mesh.network.partition([[keeper.id], [liar.id]])
      await mesh.advance(60_000)
      mesh.network.heal()
      const told = notices(mesh, 1).length
      await mesh.until('it is told again', () => notices(mesh, 1).length > told)
      await mesh.advance(5_000)
      expect(keeper.store.missing([admission.id]).length === 0).toBe(isKnown)
    }
  })

  test('lying about it brings nothing: what is named never comes', async () => {
    const mesh = await openMesh({ nodes: 2, seed: 'liar' })
    const [liar, victim] = [mesh.node(0), mesh.node(1)]
    const elsewhere = await openMesh({ nodes: 1, seed: 'elsewhere' })
    const [foreign] = elsewhere.node(0).store.write(1)
    if (foreign === undefined) throw new Error('something was written')
    liar.store.setAccess(() => 'revoked')
    liar.store.setEpochs([foreign], false)
    victim.service.want(liar.id, [])
    await mesh.until('it is told', () => notices(mesh, 1).length > 0)
    expect(notices(mesh, 1)).toMatchObject([{ epochs: [foreign.id], held: false }])
    expect(victim.store.digest().witnessCount).toBe(1)
  })
})

/** What a peer gets back for frames that it sends on a stream of its own. */
async function ask(mesh: Mesh, { id, transport }: Asked, [protocol, frames]: StoreQuestion): Promise<readonly Frame[]> {
  const { signal } = createAbortController()
  const connection = await mesh.settle(transport.connect(id, { addresses: [], signal }))
  const stream = await mesh.settle(connection.open())
  const decoder = createFrameDecoder()
  const read = async (): Promise<void> => {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) decoder.push(bytes)
  }
  const over = read().catch(() => undefined)
  for (const frame of [{ case: 'open', value: { protocol, version: 1, wallTime: WALL } } as const, ...frames]) {
    await mesh.settle(stream.write(encodeFrame(frame)).catch(() => undefined))
  }
  await mesh.advance(500)
  await mesh.settle(stream.finish().catch(() => undefined))
  await mesh.settle(over)
  await mesh.settle(connection.close('asked'))
  await mesh.advance(1_000)
  const answers: Frame[] = []
  for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) answers.push(next.value)
  return answers
}

interface Asked {
  readonly id: PublicKey
  readonly transport: Transport
}

const WALL = 1_795_000_000_000n

describe('every question of a peer that was removed', () => {
  test('but that by what it was is refused by that name, or brings nothing', async () => {
    const mesh = await openMesh({ nodes: 1, seed: 'questions', limits: { muteMs: 1, muteMaxMs: 1 } })
    const { store, id } = mesh.node(0)
    const [epoch] = store.write(3).slice(-1)
    if (epoch === undefined) throw new Error('something was written')
    const [later] = store.write(1)
    if (later === undefined) throw new Error('something was written')
    store.setEpochs([epoch], false)
    store.setAccess(() => 'revoked')
    const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
    const asked = { id, transport: mesh.network.transport(createSigner(mesh.crypto, pair).publicKey) }
    const shown: string[] = []
    const refusals = new Map<number, Set<number>>()
    for (const question of storeQuestions(mesh.storeId, gossipTopic(mesh.crypto, mesh.storeId, []))) {
      for (const frame of await ask(mesh, asked, question)) {
        if (frame.case === 'refused') {
          const codes = refusals.get(question[0]) ?? new Set()
          refusals.set(question[0], codes.add(frame.value.code))
        }
        if (frame.case === 'digests') expect(frame.value.stores).toMatchObject([{ revoked: true, witnessCount: 0n }])
        if (frame.case === 'intentions') {
          expect(question[0]).toBe(net.Protocol.REVOCATION)
          for (const { intention } of frame.value.intentions) shown.push(toHex(intentionId(mesh.crypto, intention)))
        } else expect(['accepted', 'refused', 'noted', 'digests', 'revocation']).toContain(frame.case)
      }
    }
    for (const protocol of [
      net.Protocol.RECONCILE,
      net.Protocol.BOOTSTRAP,
      net.Protocol.FETCH,
      net.Protocol.SNAPSHOT,
    ]) {
      const codes = refusals.get(protocol)
      expect(codes).toContain(net.RefusalCode.REVOKED)
      // Beside what breaks the protocol whoever asks.
      codes?.delete(net.RefusalCode.PROTOCOL_VIOLATION)
      expect(codes).toEqual(new Set([net.RefusalCode.REVOKED]))
    }
    expect(shown).toContain(toHex(epoch.id))
    expect(shown).not.toContain(toHex(later.id))
    expect(store.ingested()).toEqual({ calls: 0, intentions: 0 })
  })
})

describe('the one who serves', () => {
  const id = new Uint8Array(32).fill(5)
  const request = (value: object): FrameInit => ({ case: 'revocationRequest', value: { storeId: id, ...value } })
  const none = { resolve: () => undefined, about: () => undefined }

  test.each<[string, readonly FrameInit[], string]>([
    ['another frame', [{ case: 'done', value: {} }], 'unexpected_done'],
    ['a store id of a wrong length', [request({ storeId: new Uint8Array(31) })], 'revocation_malformed'],
    ['a peer of a wrong length', [request({ peer: new Uint8Array(31) })], 'revocation_malformed'],
    ['an admitter of a wrong length', [request({ admittedBy: [id, new Uint8Array(33)] })], 'revocation_malformed'],
    [
      'too many admitters',
      [request({ admittedBy: Array.from({ length: REVOCATION_ADMITTED_BY_MAX + 1 }, () => id) })],
      'revocation_admitted_by_too_many',
    ],
    ['a known id of a wrong length', [request({ known: [id, new Uint8Array(33)] })], 'revocation_malformed'],
    [
      'too many known ids',
      [request({ known: Array.from({ length: REVOCATION_KNOWN_MAX + 1 }, () => id) })],
      'revocation_known_too_many',
    ],
  ])('ends with %s', async (_, frames, why) => {
    expect((await feed(createRevocationServer(none), frames)).failure).toEqual({ kind: 'violation', why })
  })

  test('says no more than of a store that is not here to a stranger, and nothing removed one that is in', async () => {
    expect((await feed(createRevocationServer(none), [request({})])).failure).toMatchObject({
      kind: 'refuse',
      refusal: net.RefusalCode.NO_SUCH_STORE,
    })
    const { a } = await createPair()
    const nothing: RevokedStore = { ...a.store, epochs: [], foundation: undefined, allowed: () => true }
    const { sent, failure } = await feed(createRevocationServer({ ...none, about: () => nothing }), [request({})])
    expect(failure).toBeUndefined()
    expect(sent).toMatchObject([
      { case: 'revocation', value: { epochs: [] } },
      { case: 'intentions', value: { last: true } },
    ])
  })

  test('stops in the middle once the peer may not even see that, and takes one question', async () => {
    const { a } = await createPair()
    for (let run = 0; run < 6; run += 1) a.store.write(100, 3_000)
    let asked = 0
    const store: RevokedStore = {
      ...a.store,
      epochs: a.store.tipIds(1),
      foundation: undefined,
      allowed: () => {
        asked += 1
        return asked < 3
      },
    }
    const { sent, failure } = await feed(createRevocationServer({ ...none, resolve: () => store }), [request({})])
    expect(failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.NO_SUCH_STORE })
    expect(sent.length).toBeGreaterThan(2)
    const machine = createRevocationServer({ ...none, resolve: () => store })
    machine.receive(toFrame(request({})))
    expect(machine.receive(toFrame(request({})))).toEqual([
      { kind: 'fail', failure: { kind: 'violation', why: 'revocation_repeated' } },
    ])
  })
})

describe('the one who asks', () => {
  const epochs = [new Uint8Array(32).fill(7)]
  const named: FrameInit = { case: 'revocation', value: { epochs } }
  const last: FrameInit = { case: 'intentions', value: { intentions: [], last: true } }
  const junk = { intention: new Uint8Array(30), signature: new Uint8Array(64) }
  const many = (count: number): FrameInit => ({
    case: 'intentions',
    value: { intentions: Array.from({ length: count }, () => junk), last: false },
  })

  test.each<[string, readonly FrameInit[], string]>([
    ['intentions first', [last], 'unexpected_intentions'],
    ['the epochs twice', [named, named], 'unexpected_revocation'],
    [
      'an epoch id of a wrong length',
      [{ case: 'revocation', value: { epochs: [new Uint8Array(5)] } }],
      'revocation_malformed',
    ],
    [
      'too many epochs',
      [
        {
          case: 'revocation',
          value: { epochs: Array.from({ length: MAX_REVOKING_EPOCHS + 1 }, () => epochs[0] ?? junk.intention) },
        },
      ],
      'revocation_malformed',
    ],
    ['a frame of nothing', [named, many(0)], 'intentions_empty'],
    ['something where nothing removed it', [{ case: 'revocation', value: {} }, many(1)], 'intentions_without_epoch'],
    ['junk', [named, many(17)], 'too_many_invalid_intentions'],
    [
      'one that is too large',
      [
        named,
        { case: 'intentions', value: { intentions: [{ ...junk, intention: new Uint8Array(300_000) }], last: false } },
      ],
      'intention_too_large',
    ],
  ])('ends with %s', async (_, frames, why) => {
    const { viewOfA } = await createPair()
    expect((await feed(createRevocationAsker(viewOfA, { known: [] }), frames)).failure).toEqual({
      kind: 'violation',
      why,
    })
  })

  test('takes in what comes, and stops where the store is not here any more', async () => {
    const { a, b, viewOfA } = await createPair()
    const run = b.store.write(3)
    const wire = run.map(({ bytes, signature }) => ({ intention: bytes, signature }))
    const frames: FrameInit[] = [named, { case: 'intentions', value: { intentions: wire, last: false } }, last]
    const whole = await feed(createRevocationAsker(viewOfA, { known: [] }), frames)
    expect(whole.outcome).toMatchObject({ witnessed: 3 })
    expect(a.store.digest().witnessCount).toBe(4)
    const gone = await feed(createRevocationAsker({ ...viewOfA, allowed: () => false }, { known: [] }), frames)
    expect(gone.failure).toMatchObject({ kind: 'refuse' })
  })
})
