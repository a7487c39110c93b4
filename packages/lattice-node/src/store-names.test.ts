import { toHex, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoreSummary } from './store-types.ts'
import { pathSegments, resolveReference, type Sibling } from './store-names.ts'

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

  test('that is a whole id means that store, whatever others are called', () => {
    const impostor = store(toHex(team.id), toHex(team.id), 'ff01')
    expect(resolveReference(toHex(team.id).toUpperCase(), [impostor, team])).toBe(team)
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

describe('a path', () => {
  test('of any length finds its store', () => {
    const path = Array.from({ length: 40 }, (_, index) => `${index}`.padEnd(120, 'ä')).join('/')
    const deep = store('x', path)
    expect(resolveReference(`${path}/`, [...all, deep])).toBe(deep)
  })

  test('without what tells names apart means the one that is left, or says which there are', () => {
    const marked = store('log', 'team/log~abcdefabcdef')
    expect(resolveReference('team/log', [...all, marked])).toBe(marked)
    const other = store('log', 'team/log~abcdefabcdee')
    const ids = [marked, other].map(({ id }) => toHex(id).slice(0, 12))
    expect(() => resolveReference('team/log', [marked, other])).toThrow(
      `team/log~abcdefabcdef ${ids[0]}, team/log~abcdefabcdee ${ids[1]}`,
    )
  })

  test('takes fewer digits of an id that tells names apart, also without what is above', () => {
    const [first, second] = [store('log', 'team/log~aaaabbbbcccc'), store('log', 'team/log~aaaaddddeeee')]
    const below = store('x', 'team/log~aaaabbbbcccc/x')
    const stores = [team, first, second, below]
    for (const reference of ['team/log~aaaabb', 'log~aaaabbb', 'log~aaaabbbbcccc', '/team/log~aaaabbbbccc/']) {
      expect(resolveReference(reference, stores)).toBe(first)
    }
    expect(resolveReference('team/log~aaaab/x', stores)).toBe(below)
    expect(() => resolveReference('team/log~aaaa', stores)).toThrow(/log~aaaabbbbcccc.*log~aaaaddddeeee/)
    for (const reference of ['team/log~aaa', 'home/log~aaaab', 'log~bbbb']) {
      expect(() => resolveReference(reference, stores)).toThrow('there is no store')
    }
  })

  test('that ends with its id is not followed by it where it is a candidate', () => {
    const twins = [store('log', 'team/log~abcd10', 'abcd10'), store('log', 'team/log~abcd11', 'abcd11')]
    const marked = twins.map((twin) => ({ ...twin, path: `team/log~${toHex(twin.id).slice(0, 12)}` }))
    expect(() => resolveReference('team/log', marked)).toThrow(`(${marked[0]?.path}, ${marked[1]?.path})`)
  })

  test('prefers what lives to what is gone', () => {
    const gone: StoreSummary = { ...store('log', 'team/log~abcdefabcdef'), state: 'destroyed' }
    const living = store('log', 'team/log')
    expect(resolveReference('log', [gone, living])).toBe(living)
    expect(resolveReference('log', [gone])).toBe(gone)
  })
})

describe('path segments', () => {
  const ids = [store('', '', 'aa01'), store('', '', 'aa02'), store('', '', 'aa03')].map(({ id }) => id)
  const siblings = (...names: readonly (readonly [string, boolean?])[]): Sibling[] =>
    names.map(([name, isGone = false], index) => ({ id: ids[index] ?? team.id, name, isGone }))
  const short = ids.map((id) => toHex(id).slice(0, 12))

  test('are names, marked with ids where living ones collide', () => {
    expect(pathSegments(siblings(['a'], ['b'], ['']))).toEqual(['a', 'b', short[2]])
    expect(pathSegments(siblings(['a'], ['a'], ['b']))).toEqual([`a~${short[0]}`, `a~${short[1]}`, 'b'])
    expect(pathSegments(siblings(['a', true], ['a'], ['b', true]))).toEqual([`a~${short[0]}`, 'a', 'b'])
    expect(pathSegments(siblings(['a', true], ['a', true]))).toEqual([`a~${short[0]}`, `a~${short[1]}`])
  })

  test('mean one store each, whatever the names', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'a',
        '',
        `a~${short[0]}`,
        `a~${short[0]}~${short[1]}`,
        short[1] ?? '',
        '~',
        '日記',
        'é',
        'e\u0301',
      ),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.tuple(name, name, name), fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), (names, gone) => {
        const segments = pathSegments(siblings(...names.map((one, index) => [one, gone[index] ?? false] as const)))
        expect(new Set(segments).size).toBe(3)
      }),
    )
  })
})
