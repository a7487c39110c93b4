import { equalBytes, type IntentionId, type StoreId, toHex, toIntentionId } from '@lattice/model'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, isAlone, keyOf, put } from './support.ts'

/** Nodes 0 (creator), 1 and 2, an admin besides the creator where told. */
async function team(seed: number, { nodes = 3, admin }: { readonly nodes?: number; readonly admin?: number } = {}) {
  const mesh = await createSimMesh({ seed, nodes })
  const id = await mesh.share('team')
  if (admin !== undefined) await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, admin), system.Role.ADMIN))
  await mesh.converge(id)
  return { mesh, id }
}

function statusOf(mesh: SimMesh, index: number, id: StoreId, of: number): system.PeerStatus | undefined {
  return mesh
    .store(index, id)
    .peers()
    .find(({ publicKey }) => equalBytes(publicKey, mesh.node(of).id))?.status
}

describe('revoking a peer', () => {
  test('makes one epoch that the others acknowledge, and lets nothing in that was not known', async () => {
    const { mesh, id } = await team(1)
    await using _ = mesh
    await put(mesh, 2, id, ['before', 'kept'])
    await mesh.converge(id)
    mesh.partition([0, 1], [2])
    await put(mesh, 2, id, ['apart', 'cut'])
    const { peer, epoch } = await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
    expect(peer.status).toBe(system.PeerStatus.REVOKED)
    expect(epoch).toMatchObject({ isSettled: false, isHead: true, fault: undefined })
    expect(epoch.waitingFor.map(toHex)).toEqual([keyOf(mesh, 1)])
    const settled = async (): Promise<number> => {
      let seen = 0
      for await (const each of mesh.store(0, id).followEpoch(epoch.id, new AbortController().signal)) {
        seen += 1
        if (each.isSettled) break
      }
      return seen
    }
    expect(await mesh.complete(settled())).toBe(2)
    await mesh.converge(id, [0, 1])
    mesh.heal()
    await mesh.run(() => mesh.store(1, id).peers().length === 3, 'nothing more is awaited')
    for (const index of [0, 1]) {
      expect(statusOf(mesh, index, id, 2)).toBe(system.PeerStatus.REVOKED)
      expect([await get(mesh, index, id, 'before'), await get(mesh, index, id, 'apart')]).toEqual(['kept', undefined])
    }
    expect(await codeOf(mesh, mesh.store(0, id).revokePeer(keyOf(mesh, 2)))).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(1, id).revokePeer(keyOf(mesh, 0)))).toBe('NOT_ADMIN')
    expect(await codeOf(mesh, mesh.store(0, id).revokePeer(keyOf(mesh, 0)))).toBe('INVALID_ARGUMENT')
  })

  test('lists what that cut a page at a time', async () => {
    const { mesh, id } = await team(6)
    await using _ = mesh
    mesh.partition([0], [1, 2])
    await mesh.run(() => isAlone(mesh, 0, id), 'the creator is away')
    for (let n = 0; n < 7; n += 1) await put(mesh, 2, id, [`k${n}`, 'cut'])
    await mesh.converge(id, [1, 2])
    await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
    mesh.heal()
    await mesh.converge(id, [0, 1])
    const store = mesh.store(1, id)
    const cut = store.kernel().excluded(100)
    expect(cut.length).toBeGreaterThanOrEqual(7)
    const seen: string[] = []
    let after: IntentionId | undefined
    do {
      const { entries, next } = store.excludedPage({ limit: 3, ...(after && { after }) })
      expect(entries.length).toBeLessThanOrEqual(3)
      seen.push(...entries.map((entry) => toHex(entry.id)))
      after = next
    } while (after !== undefined)
    expect(seen).toEqual(cut.map((entry) => toHex(entry.id)))
    expect(store.excludedPage({ limit: cut.length }).next).toBeUndefined()
    const nowhere = { limit: 3, after: toIntentionId(new Uint8Array(32)) }
    expect(() => store.excludedPage(nowhere)).toThrow('list from the first page')
  })

  test('by itself leaves the store, and is refused where nobody learns of it or nobody is left to admit', async () => {
    const { mesh, id } = await team(2, { admin: 1 })
    await using _ = mesh
    mesh.partition([0, 1], [2])
    await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is alone')
    expect(await codeOf(mesh, mesh.store(2, id).revokeSelf())).toBe('NOT_REPLICATED')
    mesh.heal()
    await mesh.run(
      () =>
        mesh
          .store(2, id)
          .peers()
          .some(({ self, connected }) => !self && connected),
      'node 2 is back',
    )
    await put(mesh, 2, id, ['last', 'words'])
    await mesh.complete(mesh.store(2, id).revokeSelf())
    expect(mesh.node(2).stores()).toMatchObject([{ state: 'left' }])
    await mesh.converge(id, [0, 1])
    expect(statusOf(mesh, 0, id, 2)).toBe(system.PeerStatus.REVOKED)
    expect(await get(mesh, 1, id, 'last')).toBe('words')
    expect(mesh.store(0, id).kernel().excluded(10)).toEqual([])
    await mesh.complete(mesh.store(1, id).revokeSelf())
    await mesh.converge(id, [0])
    await mesh.run(() => statusOf(mesh, 0, id, 1) === system.PeerStatus.REVOKED, 'the other admin is gone')
    expect(await codeOf(mesh, mesh.store(0, id).revokeSelf())).toBe('WRONG_STATE')
  })

  test('to a weaker role leaves it what that may do, and it can be given the stronger one again', async () => {
    const { mesh, id } = await team(3, { admin: 1 })
    await using _ = mesh
    const peer = await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.WRITER))
    expect(peer).toMatchObject({ role: system.Role.WRITER, status: system.PeerStatus.ACTIVE })
    await mesh.converge(id)
    await put(mesh, 1, id, ['still', 'writes'])
    expect(await codeOf(mesh, mesh.store(1, id).revokePeer(keyOf(mesh, 2)))).toBe('NOT_ADMIN')
    await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.READER))
    await mesh.converge(id)
    expect(await codeOf(mesh, put(mesh, 1, id, ['no', 'more']))).toBe('REVOKED')
    await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
    await mesh.converge(id)
    await put(mesh, 1, id, ['again', 'writes'])
    await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 2)))
    await mesh.converge(id, [0, 1])
  })

  test('ends its rights in the stores below, at every depth and in one that opens later, until it is invited anew', async () => {
    const { mesh, id } = await team(4, { admin: 1 })
    await using _ = mesh
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    const { id: old } = await mesh.complete(mesh.node(0).createStore({ name: 'old', parent: id }))
    for (const child of [notes, drafts, old]) await mesh.converge(child)
    await put(mesh, 2, drafts, ['before', 'kept'])
    await mesh.converge(drafts)
    await mesh.complete(mesh.store(0, old).archive())
    await mesh.converge(id)
    mesh.partition([0, 1], [2])
    await put(mesh, 2, drafts, ['apart', 'cut'])
    await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
    await mesh.run(
      () => [notes, drafts].every((child) => mesh.store(1, child).kernel().membership().limited().length === 1),
      'the children have followed',
    )
    await mesh.complete(mesh.store(1, old).unarchive())
    await mesh.run(
      () => mesh.store(1, old).state() === 'active' && mesh.store(1, old).kernel().epochs()[0]?.cause.kind === 'parent',
      'the one that was closed followed',
    )
    mesh.heal()
    for (const child of [id, notes, drafts, old]) await mesh.converge(child, [0, 1])
    expect(await get(mesh, 0, drafts, 'before')).toBe('kept')
    expect(await get(mesh, 0, drafts, 'apart')).toBe(undefined)
    expect(mesh.store(0, drafts).kernel().epochs()[0]).toMatchObject({ cause: { kind: 'parent' }, fault: undefined })
    const epochs = mesh
      .store(0, drafts)
      .kernel()
      .epochs()
      .filter(({ cause }) => cause.kind === 'parent')
    expect(epochs).toHaveLength(1)
  })

  test('is undone by a token that was made since, in the stores below too, and not by an older one', async () => {
    const { mesh, id } = await team(5, { admin: 1 })
    await using _ = mesh
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))
    await mesh.converge(notes)
    const { token: old } = await mesh.complete(mesh.store(0, id).invite({ uses: 5 }))
    await mesh.complete(mesh.store(2, id).revokeSelf())
    await mesh.run(() => statusOf(mesh, 0, id, 2) === system.PeerStatus.REVOKED, 'node 2 is out')
    const followed = (): boolean => mesh.store(0, notes).kernel().membership().limited().length === 1
    await mesh.run(followed, 'the child has followed')
    expect(await codeOf(mesh, mesh.node(2).join(old))).toBe('REVOKED')
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect(statusOf(mesh, 1, id, 2)).toBe(system.PeerStatus.ACTIVE)
    await put(mesh, 2, id, ['back', 'yes'])
    const isBack = (): boolean =>
      mesh
        .store(0, notes)
        .kernel()
        .membership()
        .cutoffsOf(mesh.node(2).id)
        .every(({ readmissions }) => readmissions.length > 0)
    await mesh.run(isBack, 'it is back in the child')
    await mesh.converge(notes)
    await put(mesh, 2, notes, ['here', 'too'])
    await mesh.converge(notes)
    expect([await get(mesh, 1, id, 'back'), await get(mesh, 1, notes, 'here')]).toEqual(['yes', 'too'])
  })

  test('is followed to the end in a store below that missed how its peer came back, and was demoted', async () => {
    const { mesh, id } = await team(6)
    await using _ = mesh
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))
    await mesh.converge(notes)
    const following = () =>
      mesh
        .store(0, notes)
        .kernel()
        .epochs()
        .filter(({ cause }) => cause.kind === 'parent')
    await mesh.complete(mesh.store(2, id).revokeSelf())
    await mesh.run(() => following().length === 1, 'the child has followed')
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 2), system.Role.READER))
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.converge(id)
    await mesh.run(() => following().length > 1, 'the child follows again')
    await mesh.converge(notes)
    await mesh.time.pass(60_000)
    expect(following()).toHaveLength(2)
    const { cutoffsOf } = mesh.store(0, notes).kernel().membership()
    expect(cutoffsOf(mesh.node(2).id).map(({ remains, readmissions }) => [remains, readmissions.length])).toEqual([
      ['none', 1],
      ['reader', 0],
    ])
    // It may read there, as it may above.
    await put(mesh, 0, notes, ['to', 'all'])
    await mesh.converge(notes)
    expect(await get(mesh, 2, notes, 'to')).toBe('all')
    expect(await codeOf(mesh, put(mesh, 2, notes, ['no', 'more']))).toBe('REVOKED')
  })
})
