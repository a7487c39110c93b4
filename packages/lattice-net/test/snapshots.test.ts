import { createAbortController, equalBytes, toHash, toIntentionId } from '@lattice/model'
import type { ReplicatedStore, SnapshotRead, SnapshotRow } from '@lattice/net-types'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MeshNode } from './mesh.ts'
import type { ModelStore } from './model-store.ts'
import { createSnapshotMesh, type SnapshotMesh } from './snapshot-mesh.ts'

const NOWHERE = toIntentionId(new Uint8Array(32).fill(0xee))

function lie(node: MeshNode | undefined, change: (store: ModelStore) => Partial<ReplicatedStore>): void {
  if (node === undefined) throw new Error('the node exists')
  Object.assign(node.store, change({ ...node.store }))
}

const isSame = (a: readonly SnapshotRow[], b: readonly SnapshotRow[]): boolean =>
  a.length === b.length &&
  a.every((row, index) => {
    const other = b[index]
    return other !== undefined && equalBytes(row.key, other.key) && equalBytes(row.value, other.value)
  })

const misdeeds = ({ joiner }: SnapshotMesh): readonly unknown[] =>
  joiner.events.flatMap((event) =>
    'code' in event && event.kind === 'misbehaviour' ? [[event.peer[0], event.code]] : [],
  )

describe('a pruned store', () => {
  test.each([1, 2, 4])('is fetched from %d peers at once, and the tail comes by reconciliation', async (count) => {
    const fetched = await createSnapshotMesh(count)
    const { mesh, servers, joiner, base, rows } = fetched
    const writer = fetched.writer()
    expect(await fetched.fetch({ writer })).toMatchObject({ kind: 'fetched', base })
    expect(isSame(writer.rows(), rows)).toBe(true)
    expect(writer.isFinished()).toBe(true)
    const first = servers[0]
    first?.store.write(5)
    joiner.store.found(writer.items())
    expect(joiner.store.base()).toEqual(first?.store.base())
    joiner.service.register(joiner.store)
    await mesh.until('the tail is here', mesh.converged)
    expect(joiner.store.floatingCount()).toBe(0)
    expect(misdeeds(fetched)).toEqual([])
    await mesh.close()
  })

  test('comes from several: no one of them gives all', async () => {
    const fetched = await createSnapshotMesh(4, { rows: 700 })
    const given = new Map<number, number>()
    fetched.servers.forEach((server, index) =>
      lie(server, (store) => ({
        readSnapshot: (epoch, after, maxBytes) => {
          const read = store.readSnapshot(epoch, after, maxBytes)
          given.set(index, (given.get(index) ?? 0) + (read?.rows.length ?? 0))
          return read
        },
      })),
    )
    await fetched.fetch()
    expect([...given.values()].filter((rows) => rows > 0).length).toBe(4)
    const states = fetched.progress
    expect(states.at(-1)).toMatchObject({ stage: 'rows', done: 700, total: 700 })
    for (const [index, state] of states.entries()) {
      expect(state.done).toBeLessThanOrEqual(state.total)
      const before = states[index - 1]
      if (before?.stage === state.stage) expect(state.done).toBeGreaterThanOrEqual(before.done)
    }
    await fetched.mesh.close()
  })

  test('comes from the last of many, where as many as are asked at once serve no state', async () => {
    const fetched = await createSnapshotMesh(6, { rows: 20 })
    for (const server of fetched.servers.slice(0, 5)) server.store.setSnapshot(undefined)
    const writer = fetched.writer()
    expect(await fetched.fetch({ writer })).toMatchObject({ kind: 'fetched', base: fetched.base })
    expect(isSame(writer.rows(), fetched.rows)).toBe(true)
    await fetched.mesh.close()
  })

  test('is begun anew where as many as are asked at once serve another state than that which was begun', async () => {
    const fetched = await createSnapshotMesh(6, { rows: 20 })
    const { servers, base } = fetched
    const writer = fetched.writer()
    const peer = servers[0]?.id
    if (peer === undefined) expect.unreachable()
    const begun = { base, peer, items: 0, snapshot: { epoch: NOWHERE, root: toHash(NOWHERE) }, after: undefined }
    expect(await fetched.fetch({ writer: { ...writer, position: () => begun } })).toMatchObject({
      kind: 'fetched',
      base,
    })
    expect(isSame(writer.rows(), fetched.rows)).toBe(true)
    await fetched.mesh.close()
  })

  test('with a row that fits no frame comes all the same', async () => {
    const large: SnapshotRow = { table: 'app', key: Uint8Array.of(250), value: new Uint8Array(1_700_000).fill(7) }
    const after: SnapshotRow = { table: 'app', key: Uint8Array.of(251), value: Uint8Array.of(1) }
    const fetched = await createSnapshotMesh(1, { rows: 20, more: [large, after] })
    const writer = fetched.writer()
    await fetched.fetch({ writer })
    expect(writer.calls.filter((call) => call.startsWith('rows'))).toEqual(['rows 20', 'rows 1', 'rows 1'])
    expect(isSame(writer.rows(), fetched.rows)).toBe(true)
    await fetched.mesh.close()
  })

  test('is not looked for where nothing was cut: the whole history is to be had', async () => {
    const fetched = await createSnapshotMesh(2)
    for (const server of fetched.servers) lie(server, () => ({ base: () => undefined }))
    expect(await fetched.fetch()).toEqual({ kind: 'unpruned' })
    await fetched.mesh.close()
  })

  test('is refused to who may not use it, as one that is not here', async () => {
    const fetched = await createSnapshotMesh(1)
    fetched.servers[0]?.store.setAccess(() => 'none')
    await expect(fetched.fetch()).rejects.toMatchObject({ cause: { code: 'STORE_NOT_FOUND' } })
    await fetched.mesh.close()
  })

  test('without a state to serve is not to be had', async () => {
    const fetched = await createSnapshotMesh(1)
    fetched.servers[0]?.store.setSnapshot(undefined)
    await expect(fetched.fetch()).rejects.toMatchObject({ detail: { why: 'no_state_is_served' } })
    await fetched.mesh.close()
  })
})

describe('a fetch that is cut', () => {
  test('at any step goes on where it was, after a restart', async () => {
    const whole = await createSnapshotMesh(2)
    const reference = whole.writer()
    await whole.fetch({ writer: reference })
    await whole.mesh.close()
    const steps = reference.calls.length
    expect(steps).toBeGreaterThan(8)
    for (let cutAt = 1; cutAt < steps; cutAt += 1) {
      const fetched = await createSnapshotMesh(2)
      const writer = fetched.writer()
      const controller = createAbortController()
      const push = writer.calls.push.bind(writer.calls)
      writer.calls.push = (...calls) => {
        const length = push(...calls)
        if (length === cutAt) controller.abort(new Error('cut'))
        return length
      }
      await expect(fetched.fetch({ writer, signal: controller.signal })).rejects.toThrow('cut')
      const kept = writer.rows().length
      const begins = writer.calls.filter((call) => call === 'begin').length
      await fetched.fetch({ writer })
      expect(isSame(writer.rows(), fetched.rows)).toBe(true)
      // Nothing was begun anew, and no row came twice.
      expect(writer.calls.filter((call) => call === 'begin').length).toBe(begins)
      const came = writer.calls.flatMap((call) => (call.startsWith('rows ') ? [Number(call.slice(5))] : []))
      expect({ cutAt, kept, came: came.reduce((sum, count) => sum + count, 0) }).toEqual({
        cutAt,
        kept,
        came: fetched.rows.length,
      })
      await fetched.mesh.close()
    }
  })

  test('by the loss of who gave the foundation begins anew with another', async () => {
    const fetched = await createSnapshotMesh(2)
    const writer = fetched.writer()
    const [first, second] = fetched.servers
    let reads = 0
    lie(first, (store) => ({
      readFoundation: (base, after) => {
        reads += 1
        if (reads === 3) fetched.mesh.network.partition?.([[first?.id], [second?.id, fetched.joiner.id]] as never)
        return store.readFoundation(base, after, 1)
      },
    }))
    await fetched.fetch({ writer, from: [second, first].flatMap((node) => node ?? []) })
    expect(writer.isFinished()).toBe(true)
    await fetched.mesh.close()
  })

  test('by a later cut begins anew over that, with the same peer', async () => {
    const fetched = await createSnapshotMesh(1)
    const [server] = fetched.servers
    const writer = fetched.writer()
    let reads = 0
    lie(server, (store) => ({
      readFoundation: (base, after) => {
        reads += 1
        // For one moment another base is its own.
        return reads === 3 ? undefined : store.readFoundation(base, after, 1)
      },
    }))
    await fetched.fetch({ writer })
    expect(writer.calls.filter((call) => call === 'begin').length).toBe(2)
    expect(misdeeds(fetched)).toEqual([])
    await fetched.mesh.close()
  })

  test('by cuts that never end is over after a few', async () => {
    const fetched = await createSnapshotMesh(1)
    lie(fetched.servers[0], () => ({ readFoundation: () => undefined }))
    await expect(fetched.fetch()).rejects.toMatchObject({ cause: { code: 'SNAPSHOT_GONE' } })
    await fetched.mesh.close()
  })
})

type Lie = (store: ModelStore, fetched: SnapshotMesh) => Partial<ReplicatedStore>

const changedRows =
  (change: (rows: readonly SnapshotRow[], read: SnapshotRead) => Partial<SnapshotRead>): Lie =>
  (store) => ({
    readSnapshot: (epoch, after, maxBytes) => {
      const read = store.readSnapshot(epoch, after, maxBytes)
      return read && { ...read, ...change(read.rows, read) }
    },
  })

const changedItems =
  (change: (items: readonly Uint8Array[], after: number) => readonly Uint8Array[], size = 1): Lie =>
  (store) => ({
    readFoundation: (base, after) => {
      const read = store.readFoundation(base, after, size)
      return read && { ...read, items: change(read.items, after) }
    },
  })

/** Another store with a history, and a cut, and a state of its own. */
let other: SnapshotMesh | undefined
beforeAll(async () => {
  other = await createSnapshotMesh(1, { seed: 'another store', rows: 150, more: [ROW_OF_OTHER] })
})
afterAll(() => other?.mesh.close())

const ROW_OF_OTHER: SnapshotRow = { table: 'app', key: Uint8Array.of(252), value: Uint8Array.of(9, 9) }

const strangers = (): SnapshotMesh => {
  if (other === undefined) expect.unreachable()
  return other
}
const stranger = (): ModelStore => {
  const [server] = strangers().servers
  if (server === undefined) expect.unreachable()
  return server.store
}

/** What a server may do wrong, and by which name it is known. */
const LIES: Readonly<Record<string, readonly [Lie, string]>> = {
  'items that are none': [changedItems(() => [Uint8Array.of(1, 2)]), 'foundation_malformed'],
  'items in another order': [changedItems((items) => [...items].reverse(), 100_000), 'foundation_out_of_order'],
  'an item twice': [
    (store) => {
      const all = (base: typeof NOWHERE): readonly Uint8Array[] => {
        const { items } = store.readFoundation(base, 0, 1e9) ?? { items: [] }
        return [...items, ...items.slice(1, 2)]
      }
      return {
        readFoundation: (base, after) => ({ items: all(base).slice(after, after + 1), total: all(base).length }),
      }
    },
    'foundation_no_quorum',
  ],
  'a foundation cut short': [
    (store) => ({
      readFoundation: (base, after) => ({
        items: store.readFoundation(base, after, 1)?.items ?? [],
        total: 2,
      }),
    }),
    'foundation_no_quorum',
  ],
  'a foundation that grows while it comes': [
    (store) => ({
      readFoundation: (base, after) => ({
        items: store.readFoundation(base, after, 1)?.items ?? [],
        total: 100 + after,
      }),
    }),
    'foundation_page_empty',
  ],
  'more items than it said': [
    (store) => ({
      readFoundation: (base, after) => ({ items: store.readFoundation(base, after, 1e9)?.items ?? [], total: 1 }),
    }),
    'foundation_longer_than_said',
  ],
  'a base that is none': [
    (store) => ({
      snapshot: () => {
        const served = store.snapshot()
        return served && { ...served, epoch: NOWHERE }
      },
      readFoundation: (_, after) => store.readFoundation(store.base()?.epoch ?? NOWHERE, after, 1e9),
    }),
    'foundation_no_quorum',
  ],
  'rows altered': [
    changedRows((rows) => ({ rows: rows.map((row) => ({ ...row, value: Uint8Array.of(1) })) })),
    'snapshot_root_mismatch',
  ],
  'rows missing': [changedRows((rows) => ({ rows: rows.slice(0, -1) })), 'snapshot_root_mismatch'],
  'rows cut short': [changedRows(() => ({ isLast: true })), 'snapshot_root_mismatch'],
  'rows in another order': [changedRows((rows) => ({ rows: [...rows].reverse() })), 'rows_reordered'],
  'a row twice': [changedRows((rows) => ({ rows: [...rows.slice(0, 1), ...rows] })), 'rows_reordered'],
  'the first page again': [
    (store) => ({ readSnapshot: (epoch, _, maxBytes) => store.readSnapshot(epoch, undefined, maxBytes) }),
    'rows_reordered',
  ],
  'rows of another epoch': [changedRows(() => ({ epoch: NOWHERE })), 'snapshot_of_another_epoch'],
  'rows of another state': [
    changedRows((_, read) => ({ root: read.root.map((byte) => byte ^ 1) as typeof read.root })),
    'snapshot_of_another_root',
  ],
  'pages without rows that are not the last': [changedRows(() => ({ rows: [], isLast: false })), 'snapshot_page_empty'],
  'the foundation and the rows of another store': [
    () => {
      const { base, snapshot, readFoundation, readSnapshot } = stranger()
      return { base, snapshot, readFoundation, readSnapshot }
    },
    'foundation_no_quorum',
  ],
  'rows of another store': [
    () => ({
      readSnapshot: (_, after, maxBytes) => stranger().readSnapshot(strangers().base, after, maxBytes),
    }),
    'snapshot_of_another_epoch',
  ],
  "rows of another store as at this one's epoch": [
    () => ({
      readSnapshot: (epoch, after, maxBytes) => {
        const read = stranger().readSnapshot(strangers().base, after, maxBytes)
        return read && { ...read, epoch }
      },
    }),
    'snapshot_of_another_root',
  ],
  "rows of another store as this one's state": [
    (store) => ({
      readSnapshot: (epoch, after, maxBytes) => {
        const read = stranger().readSnapshot(strangers().base, after, maxBytes)
        return read && { ...read, epoch, root: store.snapshot()?.root ?? read.root }
      },
    }),
    'snapshot_root_mismatch',
  ],
}

describe.each(Object.entries(LIES))('%s', (change, [liar, name]) => {
  test('end a fetch by that name, count against the peer, and leave nothing', async () => {
    const fetched = await createSnapshotMesh(1)
    const [server] = fetched.servers
    lie(server, (store) => liar(store, fetched))
    const writer = fetched.writer()
    await expect(fetched.fetch({ writer })).rejects.toMatchObject({ code: 'BOOTSTRAP_FAILED', detail: { why: name } })
    expect(writer.rows().length).toBe(0)
    if (name.startsWith('foundation')) expect(writer.items().length).toBe(0)
    expect(writer.isFinished()).toBe(false)
    expect(misdeeds(fetched)).toEqual([[server?.id[0], name]])
    await fetched.mesh.close()
  })

  test('from one of three are found out, and the others are not blamed', async () => {
    for (const place of [0, 2]) {
      const fetched = await createSnapshotMesh(3, { seed: `liar ${place}` })
      const server = fetched.servers[place]
      lie(server, (store) => liar(store, fetched))
      const writer = fetched.writer()
      expect(await fetched.fetch({ writer })).toMatchObject({ kind: 'fetched', base: fetched.base })
      expect(isSame(writer.rows(), fetched.rows)).toBe(true)
      const blamed = misdeeds(fetched) as [number, string][]
      expect(blamed.every(([peer]) => peer === server?.id[0])).toBe(true)
      // What it sends where it is asked for a part that it does not lie about is no harm.
      if (change !== 'rows missing' && change !== 'rows cut short' && !name.startsWith('foundation')) {
        expect(blamed.length).toBe(1)
      }
      await fetched.mesh.close()
    }
  })
})

test('where most lie the one that does not is found, and every other is blamed', async () => {
  const fetched = await createSnapshotMesh(4, { seed: 'most lie', rows: 700 })
  for (const server of fetched.servers.slice(0, 3)) {
    lie(server, (store) => changedRows((rows) => ({ rows: rows.slice(1) }))(store, fetched))
  }
  const writer = fetched.writer()
  await fetched.fetch({ writer })
  expect(isSame(writer.rows(), fetched.rows)).toBe(true)
  const liars = new Set(fetched.servers.slice(0, 3).map(({ id }) => id[0]))
  const blamed = new Set((misdeeds(fetched) as [number, string][]).map(([peer]) => peer))
  expect(blamed).toEqual(liars)
  await fetched.mesh.close()
})
