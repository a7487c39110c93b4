import { create, toBinary } from '@bufbuild/protobuf'
import { decodeUniversalOp, formatSExpr, type PublicKey, toHex, universalOpMessage } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import type { OpOutcome, StoreTables } from '@lattice/store-base'
import {
  createSystemLayer,
  listSystem,
  prunePolicyOf,
  readAppId,
  readChildren,
  readDestroyAcks,
  readDestroyed,
  readInvites,
  readName,
  readPeers,
  readReplication,
  readSchema,
  readStrategy,
  type SystemEvent,
} from '@lattice/systemstore'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { projectorConvergesUnderAnyOrder } from '../src/converges-under-any-order.ts'
import { buildDag, DAG_AUTHORS, type DagOp, dagPlans } from '../src/op-dag.ts'
import { endings, envelopes, SUBJECTS, systemOps } from './system-ops.ts'

const layer = createSystemLayer()
type Envelope = weaver.UniversalOp | undefined

interface Replica {
  readonly tables: StoreTables
  readonly rows: () => string
  readonly start: (genesis: DagOp<undefined>) => readonly SystemEvent[]
  readonly apply: (op: DagOp<Envelope>) => OpOutcome<SystemEvent>
}

function createReplica(): Replica {
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  const genesisOp = create(weaver.UniversalOpSchema, { schema: 1, op: { case: 'genesis', value: {} } })
  return {
    tables,
    rows: () =>
      tables.system
        .entries()
        .map(({ key, value }) => `${toHex(key)} ${toHex(value)}`)
        .join('\n'),
    start: (genesis) => eventsOf(layer.applyGenesis(tables, { ...genesis, op: genesisOp })),
    apply: (op) => layer.apply(tables, { ...op, op: op.content }),
  }
}

function eventsOf(outcome: OpOutcome<SystemEvent>): readonly SystemEvent[] {
  return outcome.kind === 'applied' ? outcome.events : []
}

/** Everything that readers see, as far as events tell of it. */
interface Seen {
  readonly peers: Map<string, object>
  readonly names: Map<string, object>
  readonly children: Map<string, object>
  readonly invites: Map<string, object>
  readonly store: Map<string, unknown>
  readonly acks: Set<string>
}

const nothingSeen = (): Seen => ({
  peers: new Map(),
  names: new Map(),
  children: new Map(),
  invites: new Map(),
  store: new Map<string, unknown>([
    ['schema', 1],
    ['prune-policy', { kind: 'manual' }],
  ]),
  acks: new Set(),
})

/** The model: whoever takes the events and nothing else. */
function take(seen: Seen, event: SystemEvent): void {
  switch (event.kind) {
    case 'peer_changed':
      return void seen.peers.set(toHex(event.peer.peer), { ...event.peer, name: undefined, device: undefined })
    case 'peer_name_changed':
      return void seen.names.set(toHex(event.peer), { name: event.name, device: event.device })
    case 'child_changed':
      return void seen.children.set(toHex(event.child.child), event.child)
    case 'invite_changed':
      return void seen.invites.set(toHex(event.invite.tokenHash), event.invite)
    case 'name_changed':
      return void seen.store.set('name', event.name)
    case 'strategy_changed':
      return void seen.store.set('strategy', event.strategy)
    case 'app_id_changed':
      return void seen.store.set('app-id', event.appId)
    case 'schema_changed':
      return void seen.store.set('schema', event.version)
    case 'replication_changed':
      return void seen.store.set('replication', event.replication)
    case 'prune_policy_changed':
      return void seen.store.set('prune-policy', event.policy)
    case 'store_destroyed':
      return void seen.store.set('destroyed', true)
    case 'store_destroy_acknowledged':
      return void seen.acks.add(toHex(event.peer))
    case 'peer_revoked':
    case 'peer_demoted':
      // They come with a change of the peer, which says the rest.
      return
  }
}

function look({ system: read }: StoreTables, named: Iterable<string>): Seen {
  const seen = nothingSeen()
  const peers = new Map([...readPeers(read)].map((peer) => [toHex(peer.peer), peer]))
  for (const [key, peer] of peers) seen.peers.set(key, { ...peer, name: undefined, device: undefined })
  for (const key of named) {
    const peer = peers.get(key)
    if (peer !== undefined) seen.names.set(key, { name: peer.name, device: peer.device })
  }
  for (const child of readChildren(read)) seen.children.set(toHex(child.child), child)
  for (const invite of readInvites(read)) seen.invites.set(toHex(invite.tokenHash), invite)
  const parts: readonly (readonly [string, unknown])[] = [
    ['name', readName(read)],
    ['strategy', readStrategy(read)],
    ['app-id', readAppId(read)],
    ['schema', readSchema(read)],
    ['replication', readReplication(read)],
    ['prune-policy', prunePolicyOf(read)],
    ['destroyed', readDestroyed(read) || undefined],
  ]
  for (const [part, value] of parts) if (value !== undefined) seen.store.set(part, value)
  for (const peer of readDestroyAcks(read)) seen.acks.add(toHex(peer))
  return seen
}

/** A peer's name can be told of before the peer is there: then only the events know it. */
function withoutStrangers({ peers, names, ...rest }: Seen): Omit<Seen, 'peers'> & { readonly peers: unknown } {
  return { ...rest, peers, names: new Map([...names].filter(([key]) => peers.has(key))) }
}

describe('the system layer', () => {
  test('converges under any order, whatever eight authors write', () => {
    projectorConvergesUnderAnyOrder(layer, envelopes(systemOps()), { runs: 400 })
  })

  test.each(SUBJECTS)('converges where authors begin and end %s', (subject) => {
    for (const authors of [1, 2, 3]) {
      projectorConvergesUnderAnyOrder(layer, envelopes(endings(subject, authors)), { runs: 250, authors, maxOps: 10 })
    }
  })

  test('converges where three authors do all there is to do', () => {
    projectorConvergesUnderAnyOrder(layer, envelopes(systemOps(3)), { runs: 300, authors: 3 })
  })

  // Model: whoever takes the events alone sees what readers of the table see, after every operation and in any order.
  test.each([
    ['anything', systemOps(3)],
    ...SUBJECTS.map((subject) => [subject, endings(subject, 2)] as const),
  ] as const)('tells of every change and of nothing else: %s', (_what, ops) => {
    const plans = dagPlans(envelopes(ops), { maxOps: 16, authors: 3 })
    fc.assert(
      fc.property(plans, fc.nat(), (plan, seed) => {
        const dag = buildDag(plan)
        const replica = createReplica()
        const model = nothingSeen()
        for (const event of replica.start(dag.genesis)) take(model, event)
        for (const op of dag.order(seed)) {
          const before = withoutStrangers(look(replica.tables, model.names.keys()))
          const events = eventsOf(replica.apply(op))
          for (const event of events) take(model, event)
          const after = withoutStrangers(look(replica.tables, model.names.keys()))
          expect(withoutStrangers(model)).toEqual(after)
          // What nobody sees is not told of.
          const isSilent = events.every(({ kind }) => kind === 'peer_name_changed')
          if (!isSilent) expect(after).not.toEqual(before)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('keeps no trace of what it rejects', () => {
    const plans = dagPlans(envelopes(systemOps(4)), { maxOps: 16, authors: 4 })
    let rejections = 0
    fc.assert(
      fc.property(plans, (plan) => {
        const dag = buildDag(plan)
        const replica = createReplica()
        replica.start(dag.genesis)
        for (const op of dag.ops) {
          const before = replica.rows()
          if (replica.apply(op).kind !== 'rejected') continue
          rejections += 1
          expect(replica.rows()).toBe(before)
        }
      }),
      { numRuns: 200 },
    )
    expect(rejections).toBeGreaterThan(200)
  })

  test('lets nothing come back that was destroyed or cancelled', () => {
    // One author that forks: concurrent writes that all count.
    const ops = fc.constantFrom('a child' as const, 'an invite' as const).chain((subject) => {
      return dagPlans(envelopes(endings(subject, 1)), { maxOps: 12, authors: 1 })
    })
    let ends = 0
    fc.assert(
      fc.property(ops, fc.nat(), (plan, seed) => {
        const dag = buildDag(plan)
        const replica = createReplica()
        replica.start(dag.genesis)
        const ended = new Set<string>()
        for (const op of dag.order(seed)) {
          replica.apply(op)
          const { system: read } = replica.tables
          for (const { child, status } of readChildren(read)) if (status === 'destroyed') ended.add(toHex(child))
          for (const { tokenHash, status } of readInvites(read)) if (status === 'cancelled') ended.add(toHex(tokenHash))
          for (const { child, status } of readChildren(read)) {
            if (ended.has(toHex(child))) expect(status).toBe('destroyed')
          }
          for (const { tokenHash, status } of readInvites(read)) {
            if (ended.has(toHex(tokenHash))) expect(status).toBe('cancelled')
          }
        }
        ends += ended.size
      }),
      { numRuns: 300 },
    )
    expect(ends).toBeGreaterThan(50)
  })

  test('an admission, a use and an end are reached by the histories that are tried', () => {
    const kinds = new Set<string>()
    fc.assert(
      fc.property(
        dagPlans(envelopes(fc.oneof(systemOps(1), endings('the store', 1))), { maxOps: 24, authors: 1 }),
        (plan) => {
          const dag = buildDag(plan)
          const replica = createReplica()
          replica.start(dag.genesis)
          for (const op of dag.ops) for (const event of eventsOf(replica.apply(op))) kinds.add(event.kind)
        },
      ),
      { numRuns: 400 },
    )
    expect([...kinds].toSorted()).toEqual([
      'app_id_changed',
      'child_changed',
      'invite_changed',
      'name_changed',
      'peer_changed',
      'peer_name_changed',
      'prune_policy_changed',
      'replication_changed',
      'schema_changed',
      'store_destroy_acknowledged',
      'store_destroyed',
      'strategy_changed',
    ])
  })
})

describe('bytes that were made to be operations', () => {
  const author: PublicKey = DAG_AUTHORS[0] ?? expect.unreachable()
  const genesis = buildDag<undefined>({ draws: [], seed: 1 }).genesis

  /** As the kernel does: bytes, payload, envelope, layer. */
  function project(replica: Replica, bytes: Uint8Array): OpOutcome<SystemEvent> {
    const decoded = decodeUniversalOp(bytes)
    const op = decoded.kind === 'unknown' ? undefined : universalOpMessage(decoded)
    if (op !== undefined) expect(() => formatSExpr(layer.summarize(op))).not.toThrow()
    const { id, timestamp } = genesis
    return layer.apply(replica.tables, {
      id,
      author,
      timestamp,
      deps: [id],
      follows: () => true,
      covers: () => false,
      op,
    })
  }

  test('never throw, are listed whatever they did, and leave no trace when rejected', () => {
    const encoded = systemOps(2).map((value) =>
      toBinary(weaver.UniversalOpSchema, create(weaver.UniversalOpSchema, { op: { case: 'system', value } })),
    )
    const changes = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 4 })
    fc.assert(
      fc.property(encoded, changes, fc.nat({ max: 3 }), (original, mutations, cut) => {
        const bytes = original.slice(0, original.length - Math.min(cut, original.length))
        for (const [at, byte] of mutations) if (bytes.length > 0) bytes[at % bytes.length] = byte
        const replica = createReplica()
        replica.start(genesis)
        const before = replica.rows()
        if (project(replica, bytes).kind === 'rejected') expect(replica.rows()).toBe(before)
        for (const { text } of listSystem(replica.tables.system)) expect(text).toBeDefined()
      }),
      { numRuns: 2000 },
    )
  })

  test('text that is no UTF-8 is rejected wherever it stands', () => {
    const bad = 'BAD!'
    const ops: readonly object[] = [
      { case: 'store', value: { op: { case: 'setName', value: bad } } },
      { case: 'store', value: { op: { case: 'setAppId', value: bad } } },
      { case: 'peer', value: { peer: author, op: { case: 'setName', value: bad } } },
      { case: 'peer', value: { peer: author, op: { case: 'setDevice', value: bad } } },
      {
        case: 'child',
        value: { child: author, op: { case: 'add', value: { alias: bad, storeType: 'core:kvstore' } } },
      },
      { case: 'child', value: { child: author, op: { case: 'add', value: { alias: 'a', storeType: bad } } } },
      { case: 'child', value: { child: author, op: { case: 'setAlias', value: bad } } },
    ]
    for (const op of ops) {
      const value = create(system.SystemOpSchema, { op: op as never })
      const bytes = toBinary(
        weaver.UniversalOpSchema,
        create(weaver.UniversalOpSchema, { op: { case: 'system', value } }),
      )
      const at = Buffer.from(bytes).indexOf(bad)
      expect(at).toBeGreaterThan(0)
      // A lone continuation byte, an overlong slash, half a surrogate pair, and a beginning without an end.
      for (const sequence of [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) {
        const mutated = bytes.slice()
        mutated.set(sequence, at)
        const replica = createReplica()
        replica.start(genesis)
        const before = replica.rows()
        expect(project(replica, mutated).kind).toBe('rejected')
        expect(replica.rows()).toBe(before)
      }
    }
  })
})
