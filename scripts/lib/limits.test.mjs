import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isLimit, limitsOf, limitsPage, readLimits } from './limits.mjs'
import { packageFolders, root } from './workspace.mjs'

const file = (text, path = 'packages/lattice-net/src/limits.ts') => ({
  package: '@lattice/net',
  path,
  text: `/**\n * Opens the file.\n *\n * @module\n */\n${text}`,
})
const ELSEWHERE = 'packages/lattice-net/src/thing.ts'
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

  test('are computed from those that the file has or imports, whatever other files mean by the name', () => {
    const limits = limitsOf([
      file('export const FAR = 1_000\nexport const OTHER = 1_000', 'packages/lattice-net/src/not-meant.ts'),
      file(`
import { OTHER as ELSEWHERE } from './more/limits.ts'
import { FAR } from '@lattice/model'
/** Many. */
const MANY = 3
/** Twice. */
export const TWICE = 2 * MANY + ELSEWHERE + FAR`),
      file(
        '/** A few. */\nexport const OTHER = 4\n/** None. */\nconst MANY = 100',
        'packages/lattice-net/src/more/limits.ts',
      ),
      { ...file('/** Far. */\nexport const FAR = 10', 'packages/lattice-model/src/a.ts'), package: '@lattice/model' },
    ])
    expect(limits.find(({ name }) => name === 'TWICE')?.value).toBe('20')
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

  test('elsewhere are those whose name says so', () => {
    const text = '/** A tag. */\nexport const TAG = 3\n/** Most. */\nconst MAX_THINGS = 4'
    expect(limitsOf([file(text, ELSEWHERE)]).map(({ name }) => name)).toEqual(['MAX_THINGS'])
  })

  test.each([
    ['exported', '/** A tag. */\nexport const TAG = 3\nexport const MAX_THINGS = 4'],
    ['its own', 'const WAIT_MS = 5'],
    ['apart from the one above', '/** Most. */\nconst MAX_THINGS = 4\n\nconst WAIT_MS = 5'],
    ['of an object', 'export const MAX_OF = { kind: 3 }'],
  ])('that have no comment are told with their file, all of them: %s', (_, text) => {
    expect(() => limitsOf([file(text, ELSEWHERE), file('const MOST = 1')])).toThrow(
      /^packages\/lattice-net\/src\/thing\.ts: (MAX_THINGS|WAIT_MS|MAX_OF\.kind): a limit needs a comment.*\n.*\/limits\.ts: MOST: /,
    )
  })

  test('that follow another without a blank line share its comment', () => {
    const text = '/** Shortest and longest. */\nconst PAUSE_MIN_MS = 1\nconst PAUSE_FIRST = 2\nconst PAUSE_MAX_MS = 3'
    const limits = limitsOf([file(text, ELSEWHERE)])
    expect(limits.map(({ name, reason }) => [name, reason])).toEqual([
      ['PAUSE_MIN_MS', 'Shortest and longest.'],
      ['PAUSE_MAX_MS', 'Shortest and longest.'],
    ])
  })

  test('whose value cannot be read are told, too; a text or a list is no limit', () => {
    expect(() => read('/** Most. */\nexport const MOST = compute()')).toThrow(
      /limits\.ts: MOST: its value cannot be read/,
    )
    expect(read("/** Names. */\nconst NAMES = ['a']\n/** A text. */\nconst TEXT = 'a'")).toEqual([])
  })
})

describe('a name', () => {
  test.each([
    'MAX_THINGS',
    'THINGS_MAX',
    'PREFIX_DIGITS_MIN',
    'BACKLOG',
    'EVENT_CAPACITY',
    'PROVE_ADDRESS_FROM',
    'PAGES_AHEAD',
    'STREAM_WINDOW_BYTES',
    'ROWS_PER_STEP',
    'PARTS_IN_FLIGHT',
    'IDLE_TIMEOUT_MS',
  ])('says that it is a limit: %s', (name) => {
    expect(isLimit(ELSEWHERE, name)).toBe(true)
  })

  test.each(['TAG', 'MAXIMAL', 'U48_MAX', 'DAY_MS', 'MS_PER_DAY', 'COST_PER_WRITE', 'EXIT_AT_ONCE'])(
    'says no such thing: %s',
    (name) => {
      expect(isLimit(ELSEWHERE, name)).toBe(false)
    },
  )

  test('that is a unit is none in a file of limits either', () => {
    expect(isLimit('packages/lattice-net/src/limits.ts', 'KIB')).toBe(false)
    expect(isLimit('packages/lattice-net/src/limits.ts', 'TAG')).toBe(true)
  })
})

/** A workspace with a package of each name, each with one limit of its own. */
function workspaceOf(names) {
  const made = mkdtempSync(join(tmpdir(), 'lattice-limits-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  const folders = names.map((name, index) => {
    const folder = join(made, 'packages', name.replace('@lattice/', 'lattice-'))
    const sources = {
      'package.json': JSON.stringify({ name }),
      'src/wait.ts': `/** A wait. */\nconst WAIT_MS = ${index}`,
    }
    for (const path of ['src/wait.test.ts', 'src/gen/wait.ts', 'src/testing/wait.ts'])
      sources[path] = 'const WAIT_MS = 9'
    for (const [path, text] of Object.entries(sources)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return folder
  })
  return { root: made, folders }
}

describe('packages', () => {
  test('are all those of the workspace from the lowest layer up, but those for tests, and one that is new', () => {
    const made = workspaceOf([
      '@lattice/new',
      '@lattice/testkit',
      '@lattice/net-types',
      '@lattice/model',
      '@lattice/cli',
    ])
    const limits = readLimits(made.root, made.folders)
    expect(limits.map((limit) => [limit.package, limit.path, limit.value])).toEqual([
      ['@lattice/model', 'packages/lattice-model/src/wait.ts', '3 ms'],
      ['@lattice/net-types', 'packages/lattice-net-types/src/wait.ts', '2 ms'],
      ['@lattice/cli', 'packages/lattice-cli/src/wait.ts', '4 ms'],
      ['@lattice/new', 'packages/lattice-new/src/wait.ts', '0 ms'],
    ])
  })

  test('have a section each, in that order', () => {
    const made = workspaceOf(['@lattice/net-lan', '@lattice/model'])
    const page = limitsPage(readLimits(made.root, made.folders))
    expect(page.match(/^## .*$/gm)).toEqual(['## @lattice/model', '## @lattice/net-lan'])
  })
})

describe('the page', () => {
  test('keeps a column a column, whatever a comment says', () => {
    const page = limitsPage(read('/** Either | or. */\nexport const MOST = 1'))
    expect(page).toContain('| `MOST` | 1 | Either \\| or. |  |')
  })

  test('has the limits of this workspace, among them those that others rely on', () => {
    const names = new Set(readLimits(root, packageFolders()).map(({ name }) => name))
    for (const name of [
      'MAX_FRAME_FIELDS',
      'DEFAULT_LIMITS.stepDeadlineMs',
      'PEER_JOINS.burst',
      'MAX_HANDSHAKES',
      'GROWTH_PER_CONNECTION_BYTES',
      'MAX_SOUGHT_PEERS',
      'MAX_ASK_PAUSE_MS',
      'BACKLOG',
      'PROVE_ADDRESS_FROM',
      'EVENT_CAPACITY',
    ]) {
      expect(names).toContain(name)
    }
    // It parses every source file.
  }, 60_000)
})
