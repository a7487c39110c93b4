import { toHex } from '@lattice/model'
import type { PeerEntry } from '@lattice/node'
import { system } from '@lattice/proto'
import { admitPeer } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, keyOf, put } from './support.ts'

const { ADMIN, READER, UNSPECIFIED, WRITER } = system.Role
const { ACTIVE, DORMANT, INVITED, REVOKED } = system.PeerStatus

type Id = Parameters<SimMesh['store']>[1]

function peerOf(mesh: SimMesh, at: number, { id, of }: { readonly id: Id; readonly of: number }): PeerEntry {
  const key = toHex(mesh.node(of).id)
  const found = mesh
    .store(at, id)
    .peers()
    .find(({ publicKey }) => toHex(publicKey) === key)
  return found ?? expect.unreachable(`node ${at} does not know node ${of}`)
}

const countOf = (mesh: SimMesh, index: number, id: Id): number => mesh.store(index, id).status().stats.witnessCount

describe('the role of a peer', () => {
  test('is raised by an admin, for whom it counts on every node from then on', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    expect(await codeOf(mesh, mesh.store(1, id).setPeerRole('node-2', ADMIN))).toBe('NOT_ADMIN')
    const raised = await mesh.complete(mesh.store(0, id).setPeerRole('node-1', ADMIN))
    expect(raised).toMatchObject({ name: 'node-1', role: ADMIN, status: ACTIVE })
    await mesh.converge(id)
    // The new admin acts on a peer that another admitted, and on who made it one.
    await mesh.complete(mesh.store(1, id).setPeerRole(keyOf(mesh, 2), ADMIN))
    await mesh.complete(mesh.store(1, id).setPeerName('node-2', 'workshop'))
    await mesh.converge(id)
    for (const index of [0, 1, 2]) {
      expect(peerOf(mesh, index, { id, of: 2 })).toMatchObject({ role: ADMIN, name: 'workshop' })
    }
  })

  test('that it has already is no change, and what is none is refused', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const id = await mesh.share()
    const count = countOf(mesh, 0, id)
    expect(await mesh.complete(mesh.store(0, id).setPeerRole('node-1', WRITER))).toMatchObject({ role: WRITER })
    expect(countOf(mesh, 0, id)).toBe(count)
    expect(await codeOf(mesh, mesh.store(0, id).setPeerRole('node-1', UNSPECIFIED))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(mesh, mesh.store(0, id).setPeerRole('nobody', ADMIN))).toBe('PEER_NOT_FOUND')
    expect(countOf(mesh, 0, id)).toBe(count)
  })

  test('that is weaker is taken by an epoch, and given back', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 1, id, ['k', 'before'])
    await mesh.converge(id)
    expect(await mesh.complete(mesh.store(0, id).setPeerRole('node-1', READER))).toMatchObject({ role: READER })
    expect(mesh.store(0, id).kernel().epochs()[0]).toMatchObject({ cause: { kind: 'membership' }, isHead: true })
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'k')).toBe('before')
    expect(await codeOf(mesh, put(mesh, 1, id, ['k', 'after']))).not.toBe('resolved')
    await mesh.complete(mesh.store(0, id).setPeerRole('node-1', WRITER))
    await mesh.converge(id)
    await put(mesh, 1, id, ['k', 'again'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'k')).toBe('again')
  })

  test('of a reader that is raised lets it write', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token } = await mesh.complete(mesh.store(0, id).invite({ role: READER }))
    await mesh.complete(mesh.node(1).join(token))
    expect(await codeOf(mesh, put(mesh, 1, id, ['k', 'v']))).toBe('NOT_ADMITTED')
    await mesh.complete(mesh.store(0, id).setPeerRole('node-1', WRITER))
    await mesh.converge(id)
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'k')).toBe('v')
  })
})

describe('the status of a peer', () => {
  test('is dormant and active again, and a dormant peer still takes part', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const id = await mesh.share()
    expect(await mesh.complete(mesh.store(0, id).setPeerStatus('node-1', DORMANT))).toMatchObject({ status: DORMANT })
    const count = countOf(mesh, 0, id)
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-1', DORMANT))
    expect(countOf(mesh, 0, id)).toBe(count)
    await mesh.converge(id)
    await put(mesh, 1, id, ['still', 'here'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'still')).toBe('here')
    expect(await mesh.complete(mesh.store(0, id).setPeerStatus('node-1', ACTIVE))).toMatchObject({ status: ACTIVE })
  })

  test('is nothing else, and not dormant for the node that says so', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2 })
    const id = await mesh.share()
    const set = (peer: string, status: system.PeerStatus): Promise<string> =>
      codeOf(mesh, mesh.store(0, id).setPeerStatus(peer, status))
    expect(await set('node-1', REVOKED)).toBe('INVALID_ARGUMENT')
    expect(await set('node-1', INVITED)).toBe('INVALID_ARGUMENT')
    expect(await set('node-1', system.PeerStatus.UNSPECIFIED)).toBe('INVALID_ARGUMENT')
    expect(await set('node-0', DORMANT)).toBe('INVALID_ARGUMENT')
    expect(await set('node-0', ACTIVE)).toBe('resolved')
    expect(await codeOf(mesh, mesh.store(1, id).setPeerStatus('node-0', DORMANT))).toBe('NOT_ADMIN')
  })

  test('of one that is announced is no admin’s to change but by its admission, which a token brings', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const author = mesh.node(0).id
    const write = admitPeer({ author, peer: mesh.node(1).id, status: 'invited', role: 'writer', addedAt: 5 })
    const { kernel } = mesh.store(0, id)
    await mesh.complete(kernel().submit({ kind: 'system', schema: 0, value: write.op.value }, { deps: write.deps }))
    expect(peerOf(mesh, 0, { id, of: 1 })).toMatchObject({ status: INVITED, role: WRITER })
    expect(await codeOf(mesh, mesh.store(0, id).setPeerStatus(keyOf(mesh, 1), ACTIVE))).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(0, id).setPeerRole(keyOf(mesh, 1), ADMIN))).toBe('WRONG_STATE')
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect(peerOf(mesh, 1, { id, of: 1 })).toMatchObject({ status: ACTIVE, role: WRITER })
  })
})

describe('the name of a peer', () => {
  test('is its own to give in one store, and an admin’s, and stands over a restart', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.complete(mesh.store(1, id).setPeerName('', 'kitchen'))
    await mesh.complete(mesh.store(0, id).setPeerName('node-2', 'cellar'))
    await mesh.converge(id)
    await mesh.restart(1)
    await mesh.restart(2)
    await mesh.converge(id)
    const names = mesh
      .store(0, id)
      .peers()
      .map(({ name }) => name)
    expect(names.toSorted()).toEqual(['cellar', 'kitchen', 'node-0'])
    expect(mesh.node(1).name()).toBe('node-1')
    // Another name for the node is news again.
    await mesh.complete(mesh.node(1).setName('attic'))
    await mesh.run(() => peerOf(mesh, 0, { id, of: 1 }).name === 'attic', 'the new name is known')
  })

  test('is refused where it cannot be one, or is another’s to give', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share()
    for (const name of ['', 'a\nb', '\u202e', 'n'.repeat(129)]) {
      expect(await codeOf(mesh, mesh.store(1, id).setPeerName('', name))).toBe('INVALID_ARGUMENT')
    }
    expect(await codeOf(mesh, mesh.store(1, id).setPeerName('', 'n'.repeat(128)))).toBe('resolved')
    expect(await codeOf(mesh, mesh.store(1, id).setPeerName('node-0', 'boss'))).toBe('NOT_ADMIN')
    expect(await codeOf(mesh, mesh.store(1, id).setPeerName(keyOf(mesh, 1).slice(0, 8), 'by key'))).toBe('resolved')
  })
})

describe('in a store that inherits its peers', () => {
  test('changes of peers are refused with the store to turn to, and the own name goes there', async () => {
    await using mesh = await createSimMesh({ seed: 9, nodes: 2 })
    const team = await mesh.share('team')
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await mesh.converge(drafts)
    const store = mesh.store(0, drafts)
    const acts: readonly (() => Promise<unknown>)[] = [
      () => store.cancelInvite('abcd'),
      () => store.setPeerRole('node-1', ADMIN),
      () => store.setPeerStatus('node-1', DORMANT),
      () => store.setPeerName('node-1', 'x'),
      () => store.invite({}),
    ]
    for (const act of acts) {
      await expect(mesh.complete(act())).rejects.toMatchObject({
        code: 'NOT_SUPPORTED',
        message: expect.stringContaining('`team`'),
      })
    }
    await mesh.complete(mesh.store(1, drafts).setPeerName('', 'kitchen'))
    await mesh.converge(team)
    expect(peerOf(mesh, 0, { id: team, of: 1 }).name).toBe('kitchen')
    expect(peerOf(mesh, 0, { id: drafts, of: 1 }).name).toBe('kitchen')
  })
})

describe('cancelling an invite', () => {
  test('ends it for good, for who shows its token and in the list', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token, tokenHash } = await mesh.complete(mesh.store(0, id).invite({ uses: 2 }))
    const prefix = toHex(tokenHash).slice(0, 8)
    expect(await mesh.complete(mesh.store(0, id).cancelInvite(prefix.toUpperCase()))).toMatchObject({
      tokenHash,
      status: system.InviteStatus.CANCELLED,
    })
    expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('TOKEN_REVOKED')
    expect(await codeOf(mesh, mesh.store(0, id).cancelInvite(prefix))).toBe('WRONG_STATE')
  })

  test('takes the beginning of exactly one hash', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token, tokenHash } = await mesh.complete(mesh.store(0, id).invite({}))
    const hash = toHex(tokenHash)
    const cancel = (prefix: string): Promise<string> => codeOf(mesh, mesh.store(0, id).cancelInvite(prefix))
    for (const prefix of ['', hash.slice(0, 3), 'wxyz', `${hash}00`])
      expect(await cancel(prefix)).toBe('INVALID_ARGUMENT')
    const other = (hash[0] === '0' ? '1' : '0') + hash.slice(1, 6)
    expect(await cancel(other)).toBe('INVITE_NOT_FOUND')
    await mesh.complete(mesh.node(1).join(token))
    await expect(mesh.complete(mesh.store(0, id).cancelInvite(hash))).rejects.toMatchObject({
      code: 'WRONG_STATE',
      message: expect.stringContaining('used up'),
    })
    await mesh.converge(id)
    expect(await codeOf(mesh, mesh.store(1, id).cancelInvite(hash))).toBe('NOT_ADMIN')
  })

  test('by another admin holds once the inviter knows of it', async () => {
    await using mesh = await createSimMesh({ seed: 12, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token: forAdmin } = await mesh.complete(mesh.store(0, id).invite({ role: ADMIN }))
    await mesh.complete(mesh.node(1).join(forAdmin))
    const { token, tokenHash } = await mesh.complete(mesh.store(0, id).invite({}))
    await mesh.converge(id, [0, 1])
    await mesh.complete(mesh.store(1, id).cancelInvite(toHex(tokenHash)))
    await mesh.converge(id, [0, 1])
    expect(await codeOf(mesh, mesh.node(2).join(token))).toBe('TOKEN_REVOKED')
  })
})

describe('the system listing', () => {
  test('shows every key for people: times, keys and words', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 2 })
    await mesh.stop(1)
    await mesh.start(1, { device: 'linux x64' })
    const id = await mesh.share('team')
    await mesh.run(() => {
      return mesh
        .store(0, id)
        .systemEntries()
        .some(({ key }) => key.endsWith('/device'))
    }, 'the device is known')
    const rows = new Map(
      mesh
        .store(0, id)
        .systemEntries()
        .map(({ key, value }) => [key, value]),
    )
    const peer = `peer/${keyOf(mesh, 1)}`
    expect(rows.get(`${peer}/status`)).toBe('active')
    expect(rows.get(`${peer}/role`)).toBe('writer')
    expect(rows.get(`${peer}/added-by`)).toBe(keyOf(mesh, 0))
    expect(rows.get(`${peer}/added-at`)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(rows.get(`${peer}/device`)).toBe('linux x64')
    expect(rows.get(`${peer}/name`)).toBe('node-1')
    expect(rows.get('strategy')).toBe('independent')
    const [invite] = [...rows.keys()].filter((key) => key.startsWith('invite/') && key.endsWith('/expires-at'))
    expect(rows.get(invite ?? '')).toMatch(/Z$/)
    expect([...rows.values()].every((value) => value !== '')).toBe(true)
  })

  test('has the device of who made the store from its first operation, and none that cannot be shown', async () => {
    await using mesh = await createSimMesh({ seed: 14, nodes: 2 })
    await mesh.stop(0)
    await mesh.start(0, { device: 'linux arm64' })
    await mesh.stop(1)
    await mesh.start(1, { device: 'evil\u001b[2J' })
    const id = await mesh.share('team')
    // With the admission of the other, and the epoch that it brings.
    expect(countOf(mesh, 0, id)).toBeLessThanOrEqual(5)
    const devices = mesh
      .store(0, id)
      .systemEntries()
      .filter(({ key }) => key.endsWith('/device'))
    expect(devices.map(({ key, value }) => [key, value])).toEqual([[`peer/${keyOf(mesh, 0)}/device`, 'linux arm64']])
  })
})
