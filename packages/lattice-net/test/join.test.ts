import { createAbortController, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createInviter, createJoiner } from '../src/join.ts'
import type { FrameInit } from '../src/frame.ts'
import { MAX_JOINS_PER_CONNECTION } from '../src/limits.ts'
import type { JoinHandler, JoinRefusalCode } from '../src/session-call.ts'
import { converse, feed } from './drive.ts'
import { openMesh } from './mesh.ts'
import { createPair } from './pair.ts'

const secret = new Uint8Array(32).fill(9)
const { signal } = createAbortController()

describe('join', () => {
  test('a redeemed token grants, and the peer key is the proved one', async () => {
    const seen: unknown[] = []
    const joinHandler: JoinHandler = {
      redeem: async (attempt) => {
        seen.push(attempt)
        return {
          kind: 'granted',
          storeType: 'test:model',
          witnessCount: 7,
          peers: [{ peer: attempt.peer, addresses: ['sim:x'] }],
        }
      },
    }
    const mesh = await openMesh({ nodes: 1, joinHandler })
    const joiner = mesh.addNode({ register: false })
    const grant = await mesh.settle(
      joiner.service.join(
        { inviter: mesh.node(0).id, addresses: [], storeId: mesh.storeId, secret, name: 'laptop' },
        signal,
      ),
    )
    expect(grant).toMatchObject({ storeType: 'test:model', witnessCount: 7, peers: [{ addresses: ['sim:x'] }] })
    expect(seen).toMatchObject([{ peer: joiner.id, name: 'laptop', secret, addresses: joiner.service.addresses() }])
  })

  test.each<[JoinRefusalCode, string]>([
    ['TOKEN_UNKNOWN', 'not known'],
    ['TOKEN_EXPIRED', 'expired'],
    ['TOKEN_USED', 'used up'],
    ['TOKEN_REVOKED', 'cancelled'],
    ['STORE_NOT_FOUND', 'no such store'],
    ['STORE_NOT_READY', 'not ready'],
    ['REVOKED', 'removed'],
  ])('a refusal reaches the joiner as its own error: %s', async (code, words) => {
    const mesh = await openMesh({ nodes: 1, joinHandler: { redeem: async () => ({ kind: 'refused', code }) } })
    const joiner = mesh.addNode({ register: false })
    const request = { inviter: mesh.node(0).id, addresses: [], storeId: mesh.storeId, secret, name: '' }
    const failure = mesh.settle(joiner.service.join(request, signal))
    await expect(failure).rejects.toMatchObject({ name: 'PeerRefused', code })
    await expect(failure).rejects.toThrow(words)
  })

  test('guessing is cut short, a handler that fails is an internal error and no more', async () => {
    let tries = 0
    const joinHandler: JoinHandler = {
      redeem: async () => {
        tries += 1
        if (tries === 1) throw new Error('the disk is on fire at /secret/path')
        return { kind: 'refused', code: 'TOKEN_UNKNOWN' }
      },
    }
    const mesh = await openMesh({ nodes: 1, joinHandler })
    const joiner = mesh.addNode({ register: false })
    const request = { inviter: mesh.node(0).id, addresses: [], storeId: mesh.storeId, secret, name: '' }
    const codes: unknown[] = []
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const work = joiner.service.join(request, signal).catch((error: unknown) => error)
      const error = (await mesh.settle(work)) as { code: string; message: string }
      codes.push(error.code)
      expect(error.message).not.toContain('secret')
    }
    expect(codes[0]).toBe('INTERNAL')
    expect(codes.slice(1, 8)).toEqual(Array.from({ length: 7 }, () => 'TOKEN_UNKNOWN'))
    expect(codes.slice(8)).toEqual(['LIMIT_EXCEEDED', 'LIMIT_EXCEEDED'])
    expect(tries).toBe(8)
  })

  test('good tokens are not counted: a peer joins any number of stores over one connection', async () => {
    const joinHandler: JoinHandler = {
      redeem: async () => ({ kind: 'granted', storeType: 'test:model', witnessCount: 0, peers: [] }),
    }
    const mesh = await openMesh({ nodes: 1, joinHandler })
    const joiner = mesh.addNode({ register: false })
    for (let count = 0; count < 2 * MAX_JOINS_PER_CONNECTION; count += 1) {
      const request = { inviter: mesh.node(0).id, addresses: [], storeId: mesh.storeId, secret, name: '' }
      const grant = mesh.settle(joiner.service.join(request, signal))
      await expect(grant).resolves.toMatchObject({ storeType: 'test:model' })
    }
  })

  test('an inviter that is not there is unreachable, and an abort is the reason given', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const nobody = toPublicKey(new Uint8Array(32).fill(77))
    const request = { inviter: nobody, addresses: [], storeId: mesh.storeId, secret, name: '' }
    await expect(mesh.settle(mesh.node(0).service.join(request, signal))).rejects.toMatchObject({
      code: 'PEER_UNREACHABLE',
    })
    const controller = createAbortController()
    const work = mesh.node(0).service.join(request, controller.signal)
    controller.abort(new Error('changed my mind'))
    await expect(mesh.settle(work)).rejects.toThrow('changed my mind')
  })
})

describe('a hostile join', () => {
  const peer = toPublicKey(new Uint8Array(32).fill(3))
  const never: JoinHandler = { redeem: () => Promise.reject(new Error('is not asked')) }
  const good = { storeId: new Uint8Array(32), secret, name: '', addresses: [] }

  test.each<[string, FrameInit, string]>([
    ['a short secret', { case: 'joinRequest', value: { ...good, secret: new Uint8Array(31) } }, 'join_malformed'],
    ['a short store id', { case: 'joinRequest', value: { ...good, storeId: new Uint8Array(3) } }, 'join_malformed'],
    ['a long name', { case: 'joinRequest', value: { ...good, name: 'x'.repeat(300) } }, 'join_name_too_long'],
    ['another frame', { case: 'done', value: {} }, 'unexpected_done'],
  ])('%s ends it before anything is redeemed', async (_, frame, why) => {
    expect((await feed(createInviter(peer), [frame], never)).failure).toEqual({ kind: 'violation', why })
  })

  test.each<[string, FrameInit, string]>([
    [
      'a grant with a malformed peer',
      { case: 'joinAccepted', value: { peers: [{ peer: new Uint8Array(1) }] } },
      'join_accepted_malformed',
    ],
    [
      'a grant with an endless list of peers',
      { case: 'joinAccepted', value: { peers: Array.from({ length: 1000 }, () => ({ peer: new Uint8Array(32) })) } },
      'join_accepted_malformed',
    ],
    ['another frame', { case: 'hello', value: {} }, 'unexpected_hello'],
  ])('%s ends the joiner', async (_, frame, why) => {
    const { a } = await createPair()
    const joiner = createJoiner({ storeId: a.store.id, secret, name: '', addresses: [] })
    expect((await feed(joiner, [frame])).failure).toEqual({ kind: 'violation', why })
  })

  test('addresses are bounded on both ways', async () => {
    const { a } = await createPair()
    const addresses = [...Array.from({ length: 40 }, (_, index) => `sim:${index}`), 'x'.repeat(2_000), 'a\nb']
    const granted: JoinHandler = {
      redeem: async ({ addresses: claimed }) => {
        expect(claimed).toHaveLength(16)
        return { kind: 'granted', storeType: 't', witnessCount: 1, peers: [{ peer, addresses }] }
      },
    }
    const joiner = createJoiner({ storeId: a.store.id, secret, name: 'x'.repeat(999), addresses })
    const inviter = await feed(createInviter(peer), [(joiner.start()[0] as { frame: FrameInit }).frame], granted)
    expect(inviter.outcome?.name).toHaveLength(256)
    const [accepted] = inviter.sent
    expect(accepted?.case === 'joinAccepted' && accepted.value.peers[0]?.addresses).toHaveLength(16)
    const both = await converse(joiner, { ...createInviter(peer), start: () => [] }, { frames: 0 })
    expect(both.delivered).toBe(0)
  })
})
