import { describe, expect, test } from 'vitest'
import { LAYERS, limitsOf, limitsPage, readLimits } from './limits.mjs'
import { root } from './workspace.mjs'

const file = (text, path = 'packages/lattice-net/src/limits.ts') => ({
  layer: 'Network',
  package: 'lattice-net',
  path,
  text: `/**\n * Opens the file.\n *\n * @module\n */\n${text}`,
})
const read = (...texts) => limitsOf(texts.map((text) => file(text)))

describe('limits of a file', () => {
  test('have a name, a value with its unit, a reason, and what happens beyond', () => {
    const [limit] = read(`
/**
 * Bytes of one frame: what one read
 * makes a node allocate.
 * @beyond The session ends.
 */
export const FRAME_BYTES: number = 2 * 1024 * 1024`)
    expect(limit).toMatchObject({
      name: 'FRAME_BYTES',
      value: '2 MiB',
      reason: 'Bytes of one frame: what one read makes a node allocate.',
      beyond: 'The session ends.',
    })
  })

  test('tell what happens beyond by a sentence, too', () => {
    const [limit] = read(
      `/** Runs that wait, which fills a link. Beyond it they are dropped. */\nexport const RUNS = 16`,
    )
    expect(limit).toMatchObject({
      reason: 'Runs that wait, which fills a link.',
      beyond: 'Beyond it they are dropped.',
    })
  })

  test('are computed from those of other files, one of the same name in the same file first', () => {
    const limits = limitsOf([
      file('/** Many. */\nconst MANY = 3\n/** Twice. */\nexport const TWICE = 2 * MANY + OTHER'),
      file(
        '/** A few. */\nexport const OTHER = 4\n/** None. */\nconst MANY = 100',
        'packages/lattice-net/src/more-limits.ts',
      ),
    ])
    expect(limits.find(({ name }) => name === 'TWICE')?.value).toBe('10')
  })

  test('of an object have the comments of its interface; a field without one shares that above it', () => {
    const limits = read(`
export interface Tuned {
  /** Longest wait. */
  readonly waitMs: number
  /** First pause. Beyond it nothing. */
  readonly pauseMs: number
  readonly pauseMaxMs: number
}
export const DEFAULTS: Tuned = { waitMs: 30_000, pauseMs: 250, pauseMaxMs: 60_000 }`)
    expect(limits.map(({ name, value, reason }) => [name, value, reason])).toEqual([
      ['DEFAULTS.waitMs', '30 s', 'Longest wait.'],
      ['DEFAULTS.pauseMs', '250 ms', 'First pause.'],
      ['DEFAULTS.pauseMaxMs', '1 min', 'First pause.'],
    ])
  })

  test('elsewhere are those whose name says so and that have a reason', () => {
    const text = '/** A tag. */\nexport const TAG = 3\n/** Most. */\nconst MAX_THINGS = 4\n\nconst MAX_SILENT = 5'
    expect(limitsOf([file(text, 'packages/lattice-net/src/thing.ts')]).map(({ name }) => name)).toEqual(['MAX_THINGS'])
  })
})

describe('the page', () => {
  test('keeps a column a column, whatever a comment says', () => {
    const page = limitsPage(read('/** Either | or. */\nexport const MOST = 1'))
    expect(page).toContain('| `MOST` | 1 | Either \\| or. |  |')
  })

  test('has the limits of every layer of this workspace, among them those that others rely on', () => {
    const limits = readLimits(root)
    for (const { layer } of LAYERS) expect(limits.filter((limit) => limit.layer === layer)).not.toHaveLength(0)
    const names = new Set(limits.map(({ name }) => name))
    for (const name of [
      'MAX_FRAME_FIELDS',
      'DEFAULT_LIMITS.stepDeadlineMs',
      'PEER_JOINS.burst',
      'MAX_HANDSHAKES',
      'GROWTH_PER_CONNECTION_BYTES',
    ]) {
      expect(names).toContain(name)
    }
    // It parses every source file.
  }, 60_000)
})
