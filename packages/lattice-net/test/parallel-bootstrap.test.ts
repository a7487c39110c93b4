import {
  encodeWitnessContent,
  type Hash,
  idKey,
  signWitness,
  toHex,
  toWitnessSeq,
  witnessHash,
  type WitnessRecord,
  ZERO_HASH,
} from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Frame } from '../src/frame.ts'
import { BOOTSTRAP_FLOATING_MAX, BOOTSTRAP_RETURNS, WITNESS_PAGE_RECORDS } from '../src/limits.ts'
import type { BootstrapPosition } from '../src/session-call.ts'
import { driveBootstrap, type ServingPeer } from './bootstrap-drive.ts'
import type { ModelStore } from './model-store.ts'
import { createPair, type Pair } from './pair.ts'

interface World {
  readonly pair: Pair
  /** Of three peers; each witnessed in an order of its own. */
  readonly stores: readonly ModelStore[]
  readonly peers: readonly ServingPeer[]
  readonly random: SeededRandom
  readonly joiner: () => ModelStore
}

/** Three peers that wrote in turns and exchanged some of it; `full`: all of it, in the end. */
async function createWorld(seed: string, { rounds = 12, full = true } = {}): Promise<World> {
  const pair = await createPair()
  const random = createSeededRandom(seed)
  const members = [pair.a, pair.b, pair.peer(2)]
  const everything = (from: ModelStore): readonly { bytes: Uint8Array; signature: Uint8Array }[] =>
    from.read(from.ids(), Number.MAX_SAFE_INTEGER).intentions
  for (let round = 0; round < rounds; round += 1) {
    const writer = members[random.below(3)] ?? pair.a
    writer.store.write(1 + random.below(40))
    const reader = members[random.below(3)] ?? pair.a
    if (random.below(2) === 0) await reader.store.ingest(everything(writer.store), writer.signer.publicKey)
  }
  if (full) {
    for (let pass = 0; pass < 2; pass += 1) {
      for (const to of members) {
        for (const from of members) await to.store.ingest(everything(from.store), from.signer.publicKey)
      }
    }
  }
  return {
    pair,
    random,
    stores: members.map(({ store }) => store),
    peers: members.map(({ signer, store }) => ({ id: signer.publicKey, store })),
    joiner: () => pair.peer(9, { holdsGenesis: false }).store,
  }
}

const fingerprint = (store: ModelStore): string => toHex(store.digest().fingerprint)

describe('a bootstrap from several peers', () => {
  // Model: the joiner ends with exactly what the log of the peer that it names at the end holds.
  test.each(Array.from({ length: 10 }, (_, seed) => seed))(
    'takes in a whole log in causal order, whatever comes first and who lacks what: seed %i',
    async (seed) => {
      const { peers, random, joiner, pair } = await createWorld(`order ${seed}`, { full: seed % 2 === 0 })
      const store = joiner()
      const run = await driveBootstrap({ pair, joiner: store, peers, random })
      if (run.end === 'failed') throw new Error('nobody was lost')
      const source = peers.find(({ id }) => idKey(id) === idKey(run.end === 'failed' ? id : run.end.peer))?.store
      expect(run.barred).toEqual([])
      expect(store.ids().map(toHex).sort()).toEqual(source?.ids().map(toHex).sort())
      expect(run.end.fetched).toBe(source?.digest().witnessCount)
      // In causal order: nothing waits in the store, but for the rest of a run that came from two peers.
      expect(run.maxHeld).toBeLessThan(40)
      expect(store.ingested().intentions).toBe(source?.digest().witnessCount)
    },
  )

  test('fetches from all of them', async () => {
    const { peers, random, joiner, pair } = await createWorld('shares', { rounds: 25 })
    const run = await driveBootstrap({ pair, joiner: joiner(), peers, random })
    for (const count of run.delivered) expect(count).toBeGreaterThan(30)
  })

  test.each(Array.from({ length: 10 }, (_, seed) => seed))(
    'a lost peer costs its share, and another log takes over from its position: seed %i',
    async (seed) => {
      const { peers, random, joiner, pair } = await createWorld(`lost ${seed}`, { rounds: 16 })
      const lost = random.below(3)
      const store = joiner()
      const run = await driveBootstrap({
        pair,
        joiner: store,
        peers: peers.map((peer, index) => (index === lost ? { ...peer, lostAfter: random.below(8) } : peer)),
        random,
      })
      expect(run.end).not.toBe('failed')
      expect(run.barred).toEqual([])
      expect(fingerprint(store)).toBe(fingerprint(peers[(lost + 1) % 3]?.store ?? store))
    },
  )

  test.each(Array.from({ length: 10 }, (_, seed) => seed))(
    'a session that goes on over another path costs what was on its way, and nobody is blamed: seed %i',
    async (seed) => {
      const { peers, random, joiner, pair } = await createWorld(`moved ${seed}`, { rounds: 16 })
      const store = joiner()
      const count = 1 + (seed % 3)
      const moving = peers.slice(0, count).map((peer) => ({ ...peer, movesOneIn: 3 }))
      const run = await driveBootstrap({ pair, joiner: store, peers: moving, random })
      expect(run.end).not.toBe('failed')
      expect(run.barred).toEqual([])
      expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
      // What was taken in before is not asked for again.
      expect(store.ingested().intentions).toBe(store.digest().witnessCount)
    },
  )

  test.each([0, 1, 2, 3])('who was lost may come back: seed %i', async (seed) => {
    const { peers, random, joiner, pair } = await createWorld(`back ${seed}`, { rounds: 40 })
    const store = joiner()
    const returning = peers.slice(0, 2).map((peer) => ({ ...peer, lostAfter: 4 + seed, returns: BOOTSTRAP_RETURNS }))
    const run = await driveBootstrap({ pair, joiner: store, peers: returning, random })
    expect(run.end).not.toBe('failed')
    expect(run.barred).toEqual([])
    expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
  })

  test('whoever is lost again and again is given up', async () => {
    const { peers, random, joiner, pair } = await createWorld('given up', { rounds: 8 })
    const flapping = peers.slice(0, 1).map((peer) => ({ ...peer, lostAfter: 0, returns: Number.POSITIVE_INFINITY }))
    const run = await driveBootstrap({ pair, joiner: joiner(), peers: flapping, random })
    expect(run.end).toBe('failed')
    expect(run.steps).toBeLessThan(100)
  })

  test.each([0, 1, 2])('a peer that falls silent does not hold up the others: peer %i', async (silent) => {
    const { peers, random, joiner, pair } = await createWorld(`silent ${silent}`, { rounds: 16 })
    let said = 0
    const store = joiner()
    const mute = (frame: Frame): Frame | undefined => {
      said += 1
      return said > 2 ? undefined : frame
    }
    const run = await driveBootstrap({
      pair,
      joiner: store,
      peers: peers.map((peer, index) => (index === silent ? { ...peer, alter: mute } : peer)),
      random,
    })
    expect(run.end).not.toBe('failed')
    expect(run.barred).toEqual([])
    expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
  })

  test('when everyone is lost, fails and keeps what is verified; a later one goes on from the positions', async () => {
    const { peers, random, joiner, pair } = await createWorld('all lost', { rounds: 40 })
    const store = joiner()
    const positions = new Map<string, BootstrapPosition>() as Map<never, BootstrapPosition>
    const lossy = peers.map((peer) => ({ ...peer, lostAfter: 3 }))
    const first = await driveBootstrap({ pair, joiner: store, peers: lossy, random, positions })
    expect(first.end).toBe('failed')
    expect(store.digest().witnessCount).toBeGreaterThan(0)
    const second = await driveBootstrap({ pair, joiner: store, peers, random, positions })
    expect(second.end).not.toBe('failed')
    expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
    // Nothing is fetched twice, but for the beginning of runs whose end did not come.
    expect(store.ingested().intentions - store.digest().witnessCount).toBeLessThan(40)
  })

  // The joiner is gone after each step; what it has then is a store to go on with.
  test('cut at each step, goes on with what is there', async () => {
    const { peers, pair, joiner } = await createWorld('cuts', { rounds: 6 })
    const whole = (await driveBootstrap({ pair, joiner: joiner(), peers, random: createSeededRandom('cut') })).steps
    for (let cutAfter = 0; cutAfter < whole; cutAfter += 1) {
      const store = joiner()
      const positions = new Map<never, BootstrapPosition>()
      const options = { pair, joiner: store, peers, positions }
      await driveBootstrap({ ...options, random: createSeededRandom('cut'), cutAfter })
      const seen = store.digest().witnessCount
      for (const { seq } of positions.values()) expect(seq).toBeLessThanOrEqual(seen)
      const rest = await driveBootstrap({ ...options, random: createSeededRandom(`after ${cutAfter}`) })
      expect(rest.end).not.toBe('failed')
      expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
    }
  })

  test.each([
    ['one record', 1],
    ['exactly one page', WITNESS_PAGE_RECORDS],
    ['one record more than a page', WITNESS_PAGE_RECORDS + 1],
    ['exactly two pages', 2 * WITNESS_PAGE_RECORDS],
  ])('takes in a log of %s', async (_, records) => {
    const pair = await createPair()
    for (let left = records - 1; left > 0;) {
      const run = Math.min(left, 93)
      pair.a.store.write(run)
      left -= run
    }
    const store = pair.peer(9, { holdsGenesis: false }).store
    const peers = [{ id: pair.a.signer.publicKey, store: pair.a.store }]
    const run = await driveBootstrap({ pair, joiner: store, peers, random: createSeededRandom(records) })
    expect(run.end).toMatchObject({ fetched: records })
    expect(run.advances.at(-1)).toEqual({ peer: 0, seq: records })
    expect(fingerprint(store)).toBe(fingerprint(pair.a.store))
  })

  test('what its author signed in two lengths is taken as the log has it, and nobody is blamed', async () => {
    const { pair, joiner, random } = await createWorld('lengths', { rounds: 0 })
    const run = pair.a.store.write(6)
    // The helper has a longer run, closed by an intention that the log does not name.
    const longer = pair.a.store.write(1)
    const server = pair.peer(3).store
    const [first, ...rest] = run.map(({ bytes, signature }) => ({ bytes, signature }))
    await server.ingest([...(first === undefined ? [] : [first]), ...rest], pair.a.signer.publicKey)
    const helper: ServingPeer = {
      id: pair.b.signer.publicKey,
      store: server,
      alter: (frame) => {
        if (frame.case !== 'intentions') return frame
        const last = frame.value.intentions.at(-1)
        const [closer] = longer
        if (
          last !== undefined &&
          closer !== undefined &&
          toHex(last.intention) === toHex(rest.at(-1)?.bytes ?? new Uint8Array(0))
        ) {
          last.signature = new Uint8Array(0)
          frame.value.intentions.push({ ...last, intention: closer.bytes, signature: closer.signature })
        }
        return frame
      },
    }
    const store = joiner()
    const done = await driveBootstrap({
      pair,
      joiner: store,
      peers: [{ id: pair.peer(3).signer.publicKey, store: server }, helper],
      random,
    })
    expect(done.end).not.toBe('failed')
    expect(done.barred).toEqual([])
    expect(fingerprint(store)).toBe(fingerprint(server))
  })
})

type Wire = Extract<Frame, { case: 'intentions' }>['value']['intentions'][number]
type Alter = (frame: Frame, foreign: readonly Pick<Wire, 'intention' | 'signature'>[]) => void

const page =
  (change: (frame: Extract<Frame, { case: 'witnessPage' }>['value']) => void): Alter =>
  (frame) => {
    if (frame.case === 'witnessPage' && frame.value.records.length > 0) change(frame.value)
  }
const intentions =
  (
    change: (
      frame: Extract<Frame, { case: 'intentions' }>['value'],
      foreign: readonly Pick<Wire, 'intention' | 'signature'>[],
    ) => void,
  ): Alter =>
  (frame, foreign) => {
    if (frame.case === 'intentions' && frame.value.intentions.length > 0) change(frame.value, foreign)
  }

const FORGED_PAGES: readonly (readonly [string, Alter, string])[] = [
  ['an empty log', page((f) => f.records.splice(0)), 'log_truncated'],
  [
    'an empty log that says so',
    page((f) => {
      f.records.splice(0)
      f.headSeq = 0n
    }),
    'log_empty',
  ],
  ['a page that does not begin with the genesis', page((f) => f.records.shift()), 'page_wrong_seq'],
  ['records in another order', page((f) => f.records.reverse()), 'page_wrong_seq'],
  ['a record left out', page((f) => f.records.splice(2, 1)), 'page_wrong_seq'],
  ['a page without its closing signature', page((f) => f.records.pop()), 'page_not_closed'],
  ['a forged signature', page((f) => f.records.at(-1)?.signature.fill(1)), 'page_bad_signature'],
  ['garbage for a record', page((f) => f.records[1]?.content.fill(0)), 'page_malformed'],
  [
    'a page beyond its own head',
    page((f) => {
      f.headSeq = 3n
    }),
    'page_beyond_head',
  ],
  [
    'an uncountable head',
    page((f) => {
      f.headSeq = 2n ** 63n
    }),
    'page_malformed',
  ],
  [
    'a page longer than any',
    page((f) => {
      const [first] = f.records
      if (first) f.records.push(...Array.from({ length: 6200 }, () => first))
    }),
    'page_malformed',
  ],
]

const FORGED_INTENTIONS: readonly (readonly [string, Alter, string])[] = [
  [
    'intentions in another order',
    intentions((f) => f.intentions.reverse()),
    'intentions_reordered|intention_substituted',
  ],
  [
    'an intention twice',
    intentions((f) => {
      const [first] = f.intentions
      if (first) f.intentions.splice(1, 0, first)
    }),
    'intention_repeated',
  ],
  ['the closing intention kept back', intentions((f) => f.intentions.pop()), 'intentions_withheld'],
  [
    'an intention of another store',
    intentions((f, [other]) => {
      const [first] = f.intentions
      if (first && other) first.intention = other.intention
    }),
    'intention_substituted',
  ],
  ...[1, 3, 70, 120].map(
    (at) =>
      [
        `an intention changed at byte ${at}`,
        intentions((f) => {
          const x = f.intentions[f.intentions.length > 3 ? 2 : 0]
          if (x) x.intention[at] = (x.intention[at] ?? 0) ^ 1
        }),
        'intention_substituted|intention_bad_signature',
      ] as const,
  ),
  ['garbage', intentions((f) => f.intentions[0]?.intention.fill(9)), 'intention_substituted'],
  [
    'more than was asked for',
    intentions((f) => {
      const [first] = f.intentions
      if (first) f.intentions.push(first)
    }),
    'intention_repeated',
  ],
  [
    'something else after the end',
    intentions((f, foreign) => f.intentions.push({ ...(f.intentions[0] as Wire), ...(foreign[1] as Wire) })),
    'intention_substituted',
  ],
  [
    'a signature of another length',
    intentions((f) => {
      const [first] = f.intentions
      if (first) first.signature = new Uint8Array(3)
    }),
    'intention_bad_signature',
  ],
  [
    'a signature too many',
    intentions((f) => {
      const [first] = f.intentions
      const last = f.intentions.at(-1)
      if (first && last) first.signature = last.signature
    }),
    'invalid_intention_bad_signature',
  ],
  [
    'a forged signature',
    intentions((f) => {
      const last = f.intentions.at(-1)
      if (last) last.signature = new Uint8Array(64).fill(7)
    }),
    'invalid_intention_bad_signature|intention_bad_signature',
  ],
  [
    'the signature of a run left out',
    intentions((f) => {
      const last = f.intentions.at(-1)
      if (last) last.signature = new Uint8Array(0)
    }),
    'intentions_withheld',
  ],
  [
    'an empty answer that is not the last',
    intentions((f) => {
      f.intentions.splice(0)
      f.last = false
    }),
    'intentions_empty',
  ],
]

const isCut = intentions((f) => {
  f.intentions.splice(0)
  f.last = true
  f.base = new Uint8Array(32).fill(7)
})

describe('a bootstrap with a hostile peer', () => {
  interface Attack {
    readonly hostile: readonly number[]
    readonly alter: Alter
    readonly seed: string
  }
  let world: World
  let foreign: readonly { readonly intention: Uint8Array; readonly signature: Uint8Array }[]
  beforeAll(async () => {
    world = await createWorld('hostile', { rounds: 9 })
    const elsewhere = (await createPair()).b.store.write(2, 33)
    foreign = elsewhere.map(({ bytes, signature }) => ({ intention: bytes, signature }))
  })
  async function attack({ hostile, alter, seed }: Attack) {
    const peers = world.peers.map((peer, index) =>
      hostile.includes(index)
        ? {
            ...peer,
            alter: (frame: Frame): Frame => {
              alter(frame, foreign)
              return frame
            },
          }
        : peer,
    )
    const store = world.joiner()
    const positions = new Map<never, BootstrapPosition>()
    const random = createSeededRandom(seed)
    const run = await driveBootstrap({ pair: world.pair, joiner: store, peers, random, positions })
    return { store, run, positions }
  }
  const seeds = ['x', 'y']

  test('or one whose log was cut after it was read, which says so: nobody is blamed, and the others go on', async () => {
    for (const seed of seeds) {
      const { store, run } = await attack({ hostile: [0], alter: isCut, seed })
      expect([run.end === 'failed', run.barred]).toEqual([false, []])
      expect(fingerprint(store)).toBe(fingerprint(world.peers[1]?.store ?? store))
    }
    const { run, store } = await attack({ hostile: [0, 1, 2], alter: isCut, seed: 'alone' })
    expect([run.end, run.barred, store.ids()]).toEqual(['failed', [], []])
  })

  test.each([...FORGED_PAGES, ...FORGED_INTENTIONS])(
    'alone: %s ends it by name, and a later honest attempt has everything',
    async (_, alter, why) => {
      const { store, run, positions } = await attack({ hostile: [0, 1, 2], alter, seed: 'alone' })
      expect(run.end).toBe('failed')
      for (const [, code] of run.barred) expect(why.split('|')).toContain(code)
      expect(run.barred).toHaveLength(3)
      // What only the store can find out ends with what was whole and genuine before it; anything else leaves nothing.
      const genuine = why.includes('invalid_intention') ? (world.peers[0]?.store.ids() ?? []).map(toHex) : []
      expect(
        store
          .ids()
          .map(toHex)
          .filter((id) => !genuine.includes(id)),
      ).toEqual([])
      expect(positions.size).toBe(0)
      const { pair, peers, random } = world
      const honest = await driveBootstrap({ pair, joiner: store, peers, random, positions })
      expect(honest.end).not.toBe('failed')
      expect(fingerprint(store)).toBe(fingerprint(peers[0]?.store ?? store))
      expect(store.floatingCount()).toBe(0)
    },
  )

  test.each([...FORGED_PAGES, ...FORGED_INTENTIONS])(
    'among others: %s counts against that peer alone, and the others go on',
    async (_, alter, why) => {
      let caught = 0
      for (const seed of seeds) {
        for (const hostile of [0, 1, 2]) {
          const { store, run } = await attack({ hostile: [hostile], alter, seed })
          expect(run.end).not.toBe('failed')
          expect(fingerprint(store)).toBe(fingerprint(world.peers[0]?.store ?? store))
          expect(store.floatingCount()).toBe(0)
          for (const [peer, code] of run.barred) {
            expect(peer).toBe(hostile)
            expect(why.split('|')).toContain(code)
          }
          expect(run.fromBarred).toBe(0)
          caught += run.barred.length
        }
      }
      expect(caught).toBeGreaterThan(0)
    },
  )

  test.each<[string, (own: ModelStore, other: ModelStore) => Pick<ModelStore, 'witnessPage'>, string]>([
    ['another store', (_, other) => other, 'page_wrong_store'],
    [
      'two logs in one',
      (own, other) => ({
        witnessPage: (fromSeq, limit) => (fromSeq === 1 ? own : other).witnessPage(fromSeq, fromSeq === 1 ? 3 : limit),
      }),
      'page_broken_chain',
    ],
  ])('a log of %s counts against its server', async (what, forge, why) => {
    const { pair, random, joiner } = await createWorld(`forged ${what}`, { rounds: 0 })
    const other = await createPair({ nonce: what === 'another store' ? 1 : 0 })
    // The same peer, with another history.
    pair.a.store.write(2)
    const written = pair.b.store.write(4)
    await pair.a.store.ingest(written, pair.b.signer.publicKey)
    await other.a.store.ingest(written, pair.b.signer.publicKey)
    other.a.store.write(5)
    const peers: ServingPeer[] = [
      { id: pair.a.signer.publicKey, store: { ...pair.a.store, ...pick(forge(pair.a.store, other.a.store)) } },
      { id: pair.b.signer.publicKey, store: pair.b.store },
    ]
    const store = joiner()
    const run = await driveBootstrap({ pair, joiner: store, peers, random })
    expect(run.barred).toEqual([[0, why]])
    expect(run.end).not.toBe('failed')
    expect(fingerprint(store)).toBe(fingerprint(pair.b.store))
  })

  test('a log that goes on with what it named before has an end', async () => {
    const { pair, random, joiner } = await createWorld('repeats', { rounds: 0 })
    pair.a.store.write(1)
    const [genesis, second] = pair.a.store.ids()
    if (genesis === undefined || second === undefined) throw new Error('two were written')
    const { crypto, a } = pair
    let made = 0
    let prevHash: Hash = ZERO_HASH
    const records: WitnessRecord[] = []
    const upTo = (seq: number): void => {
      for (; made < seq; made += 1) {
        const content = encodeWitnessContent({
          storeId: pair.a.store.id,
          seq: toWitnessSeq(made + 1),
          intentionId: made === 0 ? genesis : second,
          wallTime: 1,
          prevHash,
        })
        prevHash = witnessHash(crypto, content)
        records.push(signWitness(crypto, a.signer, content))
      }
    }
    const endless: ModelStore = {
      ...a.store,
      // One known intention per page: nothing repeats within one, and nothing is lacking.
      witnessPage: (fromSeq) => {
        upTo(fromSeq)
        return { records: records.slice(fromSeq - 1, fromSeq), headSeq: 2 ** 50 }
      },
    }
    const own = joiner()
    await own.ingest(a.store.read([genesis, second], 1_000_000).intentions, a.signer.publicKey)
    // As if it let float as much as it may already: the test need not make that many records.
    const digest = (): ReturnType<ModelStore['digest']> => {
      const { witnessCount, ...rest } = own.digest()
      return { ...rest, witnessCount: witnessCount - BOOTSTRAP_FLOATING_MAX + 50 }
    }
    const store: ModelStore = { ...own, digest }
    const peers = [{ id: a.signer.publicKey, store: endless }]
    const run = await driveBootstrap({ pair, joiner: store, peers, random })
    expect(run.barred).toEqual([[0, 'log_repeats_intentions']])
  })

  test('a log that names intentions whose causes it never named is no log of an honest peer', async () => {
    const { pair, random, joiner } = await createWorld('uncaused', { rounds: 0 })
    for (let run = 0; run < 6; run += 1) pair.a.store.write(200)
    const store = joiner()
    const floats: ModelStore = {
      ...store,
      ingest: async (batch) =>
        batch.map(() => ({
          kind: 'floating',
          id: pair.genesis.id,
          reason: 'missing_causes',
          missing: [pair.genesis.id],
        })),
    }
    const peers = [{ id: pair.a.signer.publicKey, store: pair.a.store }]
    const run = await driveBootstrap({ pair, joiner: floats, peers, random })
    expect(run.end).toBe('failed')
    expect(run.barred).toEqual([[0, 'log_not_causal']])
  })
})

function pick({ witnessPage }: Pick<ModelStore, 'witnessPage'>): Pick<ModelStore, 'witnessPage'> {
  return { witnessPage }
}
