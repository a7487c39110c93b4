import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createByteSlab } from './byte-slab.ts'

test('copies are equal to what they were made of, and stay so whatever becomes of it and of other copies', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 1000, maxLength: 1100 }))),
      (all) => {
        const copy = createByteSlab()
        const expected = all.map((bytes) => [...bytes])
        const copies = all.map((bytes) => {
          const made = copy(bytes)
          bytes.fill(7)
          return made
        })
        for (const [index, made] of copies.entries()) {
          expect([...made]).toEqual(expected[index])
          made.fill(9)
        }
      },
    ),
  )
})
