import { type PublicKey, type StoreId, toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { PeerRefused, SessionFailed } from './errors.ts'
import { MAX_KNOWN_PEERS, MAX_REMEMBERED_FAILURES } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import { createTroubleBook, type TroubleBook } from './peer-troubles.ts'

const bytes = (number: number): Uint8Array => {
  const out = new Uint8Array(32)
  new DataView(out.buffer).setUint32(0, number)
  return out
}
const peerOf = (number: number): PublicKey => toPublicKey(bytes(number))
const storeOf = (number: number): StoreId => toStoreId(bytes(number))
const peer = peerOf(1)
const storeId = storeOf(2)

function start(): { readonly book: TroubleBook; readonly nowMs: () => number } {
  const { clock } = createManualScheduler()
  return { book: createTroubleBook({ clock }), nowMs: clock.wallMs }
}
const failedWith = (error: PeerRefused | SessionFailed): SyncOutcome => ({ kind: 'failed', peer, storeId, error })
const done: SyncOutcome = {
  kind: 'done',
  peer,
  storeId,
  durationMs: 1,
  sent: 0,
  received: 0,
  witnessed: 0,
  synced: true,
} as unknown as SyncOutcome

describe('troubles with a peer', () => {
  test('none are made up', () => {
    const { book } = start()
    expect(book.of(peer)).toEqual({ refusal: undefined, misbehaviour: undefined, ended: undefined })
    expect(book.ofSession(peer, storeId)).toBeUndefined()
  })

  test('a failed session is remembered with its code, refusals as such, until one goes well', () => {
    const { book, nowMs } = start()
    book.takeIn({ kind: 'sync_result', outcome: failedWith(new SessionFailed('broke')) })
    expect(book.ofSession(peer, storeId)).toEqual({
      code: 'SYNC_FAILED',
      message: 'broke',
      refused: false,
      atMs: nowMs(),
    })
    book.takeIn({ kind: 'sync_result', outcome: failedWith(new PeerRefused(net.RefusalCode.REVOKED, 'out')) })
    expect(book.ofSession(peer, storeId)).toMatchObject({ code: 'REVOKED', refused: true })
    expect(book.ofSession(peer, storeOf(9))).toBeUndefined()
    book.takeIn({ kind: 'sync_result', outcome: done })
    expect(book.ofSession(peer, storeId)).toBeUndefined()
  })

  test('a removal that has no effect here is told of whoever holds to it, and one that has an effect is not', () => {
    const { book } = start()
    book.takeIn({ kind: 'revoked', storeId, peer, epochs: [], held: true })
    expect(book.ofSession(peer, storeId)).toBeUndefined()
    book.takeIn({ kind: 'revoked', storeId, peer, epochs: [], held: false })
    expect(book.ofSession(peer, storeId)).toMatchObject({ code: 'REVOKED', refused: true })
    book.takeIn({ kind: 'sync_result', outcome: done })
    expect(book.ofSession(peer, storeId)).toBeUndefined()
  })

  test('a peer that does not have the store is believed until it speaks of it', () => {
    const { book } = start()
    book.unshared(peer, storeId)
    expect(book.ofSession(peer, storeId)).toMatchObject({ code: 'STORE_NOT_FOUND', refused: true })
    book.shared(peer, storeId)
    expect(book.ofSession(peer, storeId)).toBeUndefined()
    book.takeIn({ kind: 'sync_result', outcome: failedWith(new SessionFailed('broke')) })
    book.shared(peer, storeId)
    expect(book.ofSession(peer, storeId)?.code).toBe('SYNC_FAILED')
  })

  test('how a connection ended stands until the next one, without what a terminal would act on', () => {
    const { book } = start()
    book.takeIn({ kind: 'peer_disconnected', peer, reason: 'by\u001B[31me', by: 'remote' })
    expect(book.of(peer).ended).toMatchObject({ by: 'remote', message: 'by?[31me' })
    book.takeIn({ kind: 'peer_connected', peer, outgoing: true })
    expect(book.of(peer).ended).toBeUndefined()
  })

  test('a refusal to compare is kept until digests are compared or the connection ends; a busy peer is none', () => {
    const { book } = start()
    book.digestsFailed(peer, new PeerRefused(net.RefusalCode.BUSY, 'later'))
    book.digestsFailed(peer, new Error('anything else'))
    expect(book.of(peer).refusal).toBeUndefined()
    const refusal = new PeerRefused(net.RefusalCode.VERSION_UNSUPPORTED, 'too old')
    book.digestsFailed(peer, refusal)
    expect(book.of(peer).refusal).toMatchObject({ code: 'VERSION_UNSUPPORTED' })
    book.digestsCompared(peer)
    expect(book.of(peer).refusal).toBeUndefined()
    book.digestsFailed(peer, refusal)
    book.takeIn({ kind: 'peer_disconnected', peer, reason: '', by: 'lost' })
    expect(book.of(peer).refusal).toBeUndefined()
  })

  test('misbehaviour is remembered by the rule that was broken', () => {
    const { book } = start()
    book.takeIn({ kind: 'misbehaviour', peer, code: 'frame_too_large', message: 'sent too much' })
    expect(book.of(peer).misbehaviour).toMatchObject({ code: 'frame_too_large', message: 'sent too much' })
  })

  test('both books are bounded and forget what is oldest', () => {
    const { book } = start()
    for (let n = 0; n <= MAX_KNOWN_PEERS; n += 1) {
      book.takeIn({ kind: 'misbehaviour', peer: peerOf(n), code: 'x', message: '' })
    }
    expect(book.of(peerOf(0)).misbehaviour).toBeUndefined()
    expect(book.of(peerOf(1)).misbehaviour).toBeDefined()
    for (let n = 0; n <= MAX_REMEMBERED_FAILURES; n += 1) book.unshared(peer, storeOf(n))
    expect(book.ofSession(peer, storeOf(0))).toBeUndefined()
    expect(book.ofSession(peer, storeOf(MAX_REMEMBERED_FAILURES))).toBeDefined()
  })
})
