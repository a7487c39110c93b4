/** The topic of a circle goes on with its epochs: nothing is lost over it, and what still comes by the one before counts. */
import { type ParsedIntention, type PublicKey, toHex } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createTopicBook, type TopicBook } from '../src/gossip/topic-book.ts'
import type { GossipCircle } from '../src/gossip/gossip-circle.ts'
import { gossipTopic, type Topic } from '../src/gossip/gossip-topic.ts'
import { MAX_PAST_TOPICS } from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'
import { createPair } from './pair.ts'

/** An epoch by what node 0 writes now: who holds it goes by it. */
function makeEpoch(mesh: Mesh, settled: boolean): ParsedIntention {
  // Before it is told: who publishes it knows that it is one.
  const next = mesh.node(0).store
  const [epoch] = next.write(1)
  if (epoch === undefined) throw new Error('something was written')
  for (const { store } of mesh.nodes) store.setEpochs([epoch], settled)
  return epoch
}

const told = (mesh: Mesh): void => {
  const peers: PublicKey[] = mesh.nodes.map(({ id }) => id)
  for (const { service } of mesh.nodes) service.circles([{ owner: mesh.storeId, peers, stores: [mesh.storeId] }])
}

describe.each([
  ['whoever is connected', (mesh: Mesh) => mesh.connectAll()],
  ['circles that are told', told],
])('an epoch among %s', (_, connect) => {
  test.each([true, false])('changes the topic and loses nothing, settled (%s) or not', async (settled) => {
    const mesh = await openMesh({ nodes: 5, seed: 'topics' })
    connect(mesh)
    const all = (): boolean => mesh.nodes.every(({ service }) => service.connectedPeers().length === 4)
    await mesh.until('connections', all)
    await mesh.advance(10_000)
    for (let round = 0; round < 4; round += 1) {
      makeEpoch(mesh, settled)
      for (const { store } of mesh.nodes) store.write(1)
      await mesh.advance(500)
      for (const { store } of mesh.nodes) store.write(2)
      await mesh.until('convergence', mesh.converged, 60_000)
    }
    await mesh.advance(30_000)
    // Once all are on the new topic, and writes that crossed no longer have the tree in pieces, it brings a write at once.
    mesh.node(3).store.write(1)
    await mesh.until('the tree is whole', mesh.converged)
    await mesh.advance(5_000)
    const before = mesh.scheduler.clock.monotonicMs()
    mesh.node(3).store.write(1)
    await mesh.until('the write is everywhere', mesh.converged)
    expect(mesh.scheduler.clock.monotonicMs() - before).toBeLessThan(500)
    expect(
      mesh.nodes.every(({ events }) => events.every((event) => !('kind' in event) || event.kind !== 'misbehaviour')),
    ).toBe(true)
  })
})

interface Made {
  readonly topic: Topic
  listening: boolean
  closed: boolean
}

async function bookOf() {
  const { crypto, a } = await createPair()
  const owner = a.store.id
  const made: Made[] = []
  const state = { heads: [] as ParsedIntention[], settled: false }
  const topicOf = (): Topic =>
    gossipTopic(
      crypto,
      owner,
      state.heads.map(({ id }) => id),
    )
  const book: TopicBook = createTopicBook({
    topicOf,
    isSettled: () => state.settled,
    open: (topic) => {
      const circle: Made = { topic, listening: false, closed: false }
      made.push(circle)
      const listen = (): void => {
        circle.listening = true
      }
      const close = (): void => {
        circle.closed = true
      }
      // The book asks nothing else of a circle.
      return { topic, listen, close } as unknown as GossipCircle
    },
  })
  const next = (): void => {
    state.heads = [...a.store.write(1)]
  }
  return { book, owner, made, state, next, topicOf }
}

describe('the topics of a circle', () => {
  test('before the present one are listened on until it settles', async () => {
    const { book, owner, made, state, next } = await bookOf()
    book.open(owner, true)
    expect(book.review(owner)).toBeUndefined()
    next()
    const change = book.review(owner)
    expect(change?.before.topic).toEqual(made[0]?.topic)
    expect(book.present(owner)).toBe(change?.after)
    expect(made).toMatchObject([
      { listening: true, closed: false },
      { listening: false, closed: false },
    ])
    expect(book.find(made[0]?.topic ?? raise())).toBe(change?.before)
    state.settled = true
    expect(book.review(owner)).toBeUndefined()
    expect(made).toMatchObject([{ closed: true }, { closed: false }])
    expect(book.past(owner)).toEqual([])
    expect(book.find(made[0]?.topic ?? raise())).toBeUndefined()
  })

  test('are so many at most; the oldest go first', async () => {
    const { book, owner, made, next } = await bookOf()
    book.open(owner, true)
    for (let count = 0; count < MAX_PAST_TOPICS + 3; count += 1) {
      next()
      book.review(owner)
    }
    expect(book.past(owner)).toHaveLength(MAX_PAST_TOPICS)
    expect(made.map(({ closed }) => closed)).toEqual([
      ...Array.from({ length: 3 }, () => true),
      ...Array.from({ length: MAX_PAST_TOPICS + 1 }, () => false),
    ])
  })

  test('come back as they were when an epoch turns out to be void', async () => {
    const { book, owner, made, state, next, topicOf } = await bookOf()
    book.open(owner, true)
    next()
    book.review(owner)
    state.heads = []
    book.review(owner)
    expect(toHex(book.present(owner)?.topic ?? raise())).toBe(toHex(topicOf()))
    expect(made).toMatchObject([
      { closed: true },
      { closed: false, listening: true },
      { closed: false, listening: false },
    ])
    expect(book.find(topicOf())).toBe(book.present(owner))
  })

  test('end with their circle, earlier ones included', async () => {
    const { book, owner, made, next } = await bookOf()
    book.open(owner, true)
    next()
    book.review(owner)
    book.keepOnly(new Set())
    expect(made).toMatchObject([{ closed: true }, { closed: true }])
    expect(book.all()).toEqual([])
    book.open(owner, false)
    book.end(owner)
    expect(book.all()).toEqual([])
  })
})

function raise(): never {
  throw new Error('there is one')
}
