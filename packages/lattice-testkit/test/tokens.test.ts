import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { toHex, toPublicKey, toStoreId } from '@lattice/model'
import { decodeInviteToken, encodeInviteToken } from '@lattice/node'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

/** Nothing of a store is on the node: not listed, no directory, and none after a restart. */
async function expectNoTrace(mesh: SimMesh, index: number): Promise<void> {
  expect(mesh.node(index).stores()).toEqual([])
  expect(readdirSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores'))).toEqual([])
  await mesh.restart(index)
  expect(mesh.node(index).stores()).toEqual([])
}

function tokenWith(text: string, changes: Parameters<typeof encodeInviteToken>[0] | object): string {
  const decoded = decodeInviteToken(text)
  if (!decoded.ok) throw new Error('the token is good')
  return encodeInviteToken({ ...decoded.value, ...changes })
}

describe('a token', () => {
  test('that was mistyped is refused before anyone is asked', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    const at = token.length - 12
    const typed = token.slice(0, at) + (token[at] === 'q' ? 'p' : 'q') + token.slice(at + 1)
    expect(await codeOf(mesh, mesh.node(1).join(typed))).toBe('TOKEN_MALFORMED')
    expect(await codeOf(mesh, mesh.node(1).join('hello'))).toBe('TOKEN_MALFORMED')
    expect(mesh.network.connectionCount()).toBe(0)
    await expectNoTrace(mesh, 1)
  })

  test('with a wrong secret, or for a store that is not there, gets the same refusal', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    const wrong = tokenWith(token, { secret: new Uint8Array(32).fill(7) })
    const absent = tokenWith(token, { storeId: toStoreId(new Uint8Array(32).fill(9)) })
    expect(await codeOf(mesh, mesh.node(1).join(wrong))).toBe('TOKEN_UNKNOWN')
    expect(await codeOf(mesh, mesh.node(1).join(absent))).toBe('TOKEN_UNKNOWN')
    await expectNoTrace(mesh, 1)
    expect(mesh.store(0, id).peers()).toHaveLength(1)
  })

  test('that has expired is refused by the joiner, and by the inviter should the joiner believe otherwise', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token } = await mesh.complete(mesh.store(0, id).invite({ expiresInMs: 1000 }))
    await mesh.time.pass(1001)
    expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('TOKEN_EXPIRED')
    const hopeful = tokenWith(token, { expiresAt: Number.MAX_SAFE_INTEGER })
    expect(await codeOf(mesh, mesh.node(1).join(hopeful))).toBe('TOKEN_EXPIRED')
    await expectNoTrace(mesh, 1)
  })

  test('that was used up is refused', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    await mesh.complete(mesh.node(1).join(token))
    expect(await codeOf(mesh, mesh.node(2).join(token))).toBe('TOKEN_USED')
    await expectNoTrace(mesh, 2)
    expect(mesh.store(0, id).invites()).toMatchObject([
      { status: system.InviteStatus.CLAIMED, usesLeft: 0, claimedBy: [mesh.node(1).id] },
    ])
  })

  test('admits at most its uses, however many come at once', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 6, latencyMs: { min: 5, max: 5 } })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token } = await mesh.complete(mesh.store(0, id).invite({ uses: 3 }))
    const joins = [1, 2, 3, 4, 5].map((index) =>
      mesh
        .node(index)
        .join(token)
        .then(
          () => 'joined',
          (error: { code: string }) => error.code,
        ),
    )
    const outcomes = await mesh.complete(Promise.all(joins))
    expect(outcomes.filter((outcome) => outcome === 'joined')).toHaveLength(3)
    expect(outcomes.filter((outcome) => outcome === 'TOKEN_USED')).toHaveLength(2)
    expect(mesh.store(0, id).peers()).toHaveLength(4)
  })

  test('that leads to a node which did not make it is refused as foreign', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token: forAdmin } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(forAdmin))
    const { token } = await mesh.complete(mesh.store(1, id).invite({}))
    await mesh.converge(id, [0, 1])
    const redirected = tokenWith(token, { inviter: mesh.node(0).id, addresses: mesh.node(0).network.addresses() })
    expect(await codeOf(mesh, mesh.node(2).join(redirected))).toBe('TOKEN_FOREIGN')
    expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('TOKEN_FOREIGN')
    await expectNoTrace(mesh, 2)
    await mesh.complete(mesh.node(2).join(token))
  })

  test('of an inviter that cannot be reached is refused as such', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    await mesh.stop(0)
    expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('PEER_UNREACHABLE')
    await expectNoTrace(mesh, 1)
  })

  test('for a store that is here already says so', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share()
    expect(await codeOf(mesh, mesh.node(1).join(await mesh.invite(0, id)))).toBe('STORE_EXISTS')
  })

  test('is made by an admin alone, with a role, a use and a future', async () => {
    await using mesh = await createSimMesh({ seed: 9, nodes: 2 })
    const id = await mesh.share()
    expect(await codeOf(mesh, mesh.store(1, id).invite({}))).toBe('NOT_ADMIN')
    for (const options of [
      { uses: 0 },
      { uses: 1.5 },
      { expiresInMs: 0 },
      { expiresInMs: Infinity },
      { role: system.Role.UNSPECIFIED },
    ]) {
      expect(await codeOf(mesh, mesh.store(0, id).invite(options))).toBe('INVALID_ARGUMENT')
    }
  })

  test('for a reader lets read and not write', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.READER }))
    await mesh.complete(mesh.node(1).join(token))
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'k')).toBe('v')
    expect(await codeOf(mesh, put(mesh, 1, id, ['k', 'w']))).toBe('NOT_ADMITTED')
    expect(
      mesh
        .store(0, id)
        .peers()
        .map((peer) => peer.name)
        .sort(),
    ).toEqual(['node-0', 'node-1'])
  })

  test('refused for whatever reason leaves nothing of itself, and takes nothing from a good one', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token: used } = await mesh.complete(mesh.store(0, id).invite({}))
    await mesh.complete(mesh.node(1).join(used))
    const { token: over } = await mesh.complete(mesh.store(0, id).invite({ expiresInMs: 1000 }))
    const { token: cancelled, tokenHash } = await mesh.complete(mesh.store(0, id).invite({}))
    await mesh.complete(mesh.store(0, id).cancelInvite(toHex(tokenHash)))
    const { token: good } = await mesh.complete(mesh.store(0, id).invite({}))
    await mesh.time.pass(1001)
    const unknown = tokenWith(good, { secret: new Uint8Array(32).fill(7) })
    const hopeful = tokenWith(over, { expiresAt: Number.MAX_SAFE_INTEGER })
    const foreign = tokenWith(good, { inviter: mesh.node(1).id, addresses: mesh.node(1).network.addresses() })
    const nowhere = tokenWith(good, { addresses: ['sim:nobody'], inviter: toPublicKey(new Uint8Array(32).fill(9)) })
    const outcomes: string[] = []
    for (const token of [
      used,
      over,
      hopeful,
      cancelled,
      unknown,
      foreign,
      nowhere,
      good.toUpperCase().replace('L', 'l'),
    ]) {
      outcomes.push(await codeOf(mesh, mesh.node(2).join(token)))
    }
    expect(outcomes).toEqual([
      'TOKEN_USED',
      'TOKEN_EXPIRED',
      'TOKEN_EXPIRED',
      'TOKEN_REVOKED',
      'TOKEN_UNKNOWN',
      'TOKEN_FOREIGN',
      'PEER_UNREACHABLE',
      'TOKEN_MALFORMED',
    ])
    expect(mesh.store(0, id).peers()).toHaveLength(2)
    await expectNoTrace(mesh, 2)
    // The good one is as good as before.
    await mesh.complete(mesh.node(2).join(good))
  })

  test('of a second inviter works beside that of the first', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 4 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token: forAdmin } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(forAdmin))
    await mesh.converge(id, [0, 1])
    const [first, second] = [await mesh.invite(0, id), await mesh.invite(1, id)]
    await mesh.complete(Promise.all([mesh.node(2).join(first), mesh.node(3).join(second)]))
    await mesh.converge(id)
    expect(mesh.store(0, id).peers()).toHaveLength(4)
  })
})
