import { toHex, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import type { StoreSummary } from './node-types.ts'
import { resolveReference } from './store-names.ts'

const random = createSeededRandom('names')
function store(name: string, path: string, prefix = ''): StoreSummary {
  const bytes = random.bytes(32)
  bytes.set(Uint8Array.from(prefix.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
  return {
    id: toStoreId(bytes),
    storeType: 'core:kvstore',
    name,
    parentId: undefined,
    state: 'active',
    path,
    error: undefined,
    headless: false,
    hasData: true,
    awaiting: [],
  }
}
const team = store('team', 'team', 'abcd01')
const notes = store('notes', 'team/notes', 'abcd02')
const other = store('notes', 'home/notes', 'abcd03')
const nameless = store('', 'ffee01aabbcc', 'ffee01')
const all = [team, notes, other, nameless]

const codeOf = (reference: string): unknown => {
  try {
    return resolveReference(reference, all).path
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a reference to a store', () => {
  test('is an id, the beginning of one, a name or a path', () => {
    expect(codeOf(toHex(team.id))).toBe('team')
    expect(codeOf('ABCD01')).toBe('team')
    expect(codeOf('abcd0')).toBe('STORE_AMBIGUOUS')
    expect(codeOf('team')).toBe('team')
    expect(codeOf('team/notes')).toBe('team/notes')
    expect(codeOf('/home/notes/')).toBe('home/notes')
    expect(codeOf('ffee')).toBe('ffee01aabbcc')
  })

  test('that means several is refused with what it could mean', () => {
    expect(() => resolveReference('notes', all)).toThrow(/team\/notes abcd02.*home\/notes abcd03/)
  })

  test('that means none is refused', () => {
    for (const reference of ['', '/', 'abc', 'nothing', 'team/', 'x'.repeat(5000), 'zzzz']) {
      if (reference === 'team/') expect(codeOf(reference)).toBe('team')
      else expect(codeOf(reference)).toBe('STORE_NOT_FOUND')
    }
  })
})
