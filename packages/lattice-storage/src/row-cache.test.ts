import { utf8Encode } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { keyText } from './key-text.ts'
import { createRowCache } from './row-cache.ts'
import { createRowChanges } from './row-changes.ts'

function counted(rows: Map<string, Uint8Array>): {
  readonly asked: string[]
  readonly get: (key: string) => Uint8Array | undefined
  readonly write: (key: string, value: Uint8Array) => void
} {
  const asked: string[] = []
  const cache = createRowCache({
    get: (key) => {
      asked.push(new TextDecoder().decode(key))
      return rows.get(new TextDecoder().decode(key))
    },
    page: () => [],
  })
  return {
    asked,
    get: (key) => cache.get(keyText(utf8Encode(key)), utf8Encode(key)),
    write: (key, value) => {
      rows.set(key, value)
      const written = createRowChanges()
      written.put(keyText(utf8Encode(key)), value)
      cache.drop(written)
    },
  }
}

describe('a row cache', () => {
  test('asks the table below once for a row, there or not, until it is written', () => {
    const { asked, get, write } = counted(new Map([['there', Uint8Array.of(1)]]))
    for (let turn = 0; turn < 3; turn += 1) {
      expect(get('there')).toEqual(Uint8Array.of(1))
      expect(get('new')).toBeUndefined()
    }
    expect(asked).toEqual(['there', 'new'])
    write('new', Uint8Array.of(2))
    expect(get('new')).toEqual(Uint8Array.of(2))
    expect(get('there')).toEqual(Uint8Array.of(1))
    expect(asked).toEqual(['there', 'new', 'new'])
  })

  test('remembers a bounded number of rows that are not there', () => {
    const { asked, get } = counted(new Map())
    for (let key = 0; key < 10_000; key += 1) get(`k${key}`)
    expect(asked).toHaveLength(10_000)
    get('k9999')
    expect(asked).toHaveLength(10_000)
    get('k0')
    expect(asked).toHaveLength(10_001)
  })
})
