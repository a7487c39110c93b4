import { type PublicKey, toPublicKey } from '@lattice/model'
import { expect, test } from 'vitest'
import { tellers } from './store-peers.ts'

const [anna, bert, cleo] = [1, 2, 3].map((byte): PublicKey => toPublicKey(new Uint8Array(32).fill(byte)))
if (anna === undefined || bert === undefined || cleo === undefined) throw new Error('there are three')
const isNobody = (): boolean => false

test('who said that history is cut is asked first, and known to this node or not', () => {
  expect(tellers(bert, [anna, bert], isNobody)).toEqual([bert, anna])
  expect(tellers(cleo, [anna, bert], isNobody)).toEqual([cleo, anna, bert])
  expect(tellers(undefined, [anna, bert], isNobody)).toEqual([anna, bert])
})

test('who is removed is asked nothing: it may offer for ever what nobody takes', () => {
  expect(tellers(cleo, [anna, bert], (peer) => peer === cleo)).toEqual([anna, bert])
})
