import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { create, toBinary } from '@bufbuild/protobuf'
import { kv } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakeNode, type FakeNode, idOf, utf8 } from '../../test/fake-node.ts'
import { type Ran, run, type RunOptions } from '../../test/fake-process.ts'

const STORE = idOf(0x11)
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-export-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

type Entry = readonly [key: Uint8Array, value: Uint8Array]

async function nodeWith(entries: readonly Entry[]): Promise<FakeNode> {
  const node = createFakeNode()
  const operations = entries.map(([key, value]) => ({ key, operation: { case: 'put' as const, value } }))
  const request = toBinary(kv.BatchRequestSchema, create(kv.BatchRequestSchema, { operations }))
  await node.backend.dynamic.exec({ storeId: STORE, method: 'Batch', request })
  return node
}

async function exported(node: FakeNode, ...words: readonly string[]): Promise<Ran> {
  return run(['store', 'export', ...words], node)
}

const numbered = (count: number): Entry[] =>
  Array.from({ length: count }, (_, index) => [utf8(`key${String(index).padStart(4, '0')}`), utf8(`value ${index}`)])

describe('what is exported is imported', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.string({ unit: 'binary' }).map(utf8))
  const key = fc.oneof(
    bytes.filter((each) => each.length > 0),
    fc.constantFrom('0x', '0X41', '0x414', '\u2028', '"', '\u0000', '\ufeffa').map(utf8),
  )
  const entries = fc.array(fc.tuple(key, bytes), { maxLength: 12 })

  test('as JSON Lines, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (each) => {
        const node = await nodeWith(each)
        const { exitCode, stdout } = await exported(node, '-')
        expect(exitCode).toBe(0)
        const copy = createFakeNode()
        expect((await run(['store', 'import', '-'], { ...copy, stdin: stdout })).exitCode).toBe(0)
        // Read as JSON Lines again, for they tell all bytes apart.
        expect((await exported(copy, '-')).stdout).toBe(stdout)
        expect(stdout.split('\n').length - 1).toBe(new Set(each.map(([name]) => name.join())).size)
      }),
      { numRuns: 60 },
    )
  })

  test('as separated text, or it is refused and said why', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (each) => {
        const node = await nodeWith(each)
        const file = join(folder, 'data.txt')
        const { exitCode, stderr } = await exported(node, file, '--separator', '=>', '--force')
        if (exitCode !== 0) {
          expect(stderr).toContain('export as JSON Lines')
          return
        }
        const copy = createFakeNode()
        expect((await run(['store', 'import', file, '--separator', '=>'], copy)).exitCode).toBe(0)
        expect((await exported(copy, '-')).stdout).toBe((await exported(node, '-')).stdout)
      }),
      { numRuns: 60 },
    )
  })

  test.each<[string, string, string]>([
    ['a;b', 'v', 'its key has the separator in it'],
    ['a', 'one\ntwo', 'it has the end of a line in it'],
    ['a', 'one\r', 'it has the end of a line in it'],
    ['\ufeffa', 'v', 'it begins with the mark of a text encoding'],
  ])('key %j with value %j is no separated text', async (name, value, reason) => {
    const node = await nodeWith([[utf8(name), utf8(value)]])
    const { exitCode, stderr } = await exported(node, join(folder, 'a.txt'), '--separator', ';')
    expect(exitCode).toBe(2)
    expect(stderr).toContain(reason)
    expect(await readdir(folder)).toEqual([])
  })
})

describe('an export', () => {
  test('goes through every page, in order, and says how many', async () => {
    const node = await nodeWith(numbered(1000))
    const file = join(folder, 'all.jsonl')
    expect(await exported(node, file)).toEqual({
      exitCode: 0,
      stdout: `exported 1,000 records, 37.9 kB, to ${file} in 500 ms\n`,
      stderr: '',
    })
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(1000)
    expect([lines[0], lines[999]]).toEqual([
      '{"key":"key0000","value":"value 0"}',
      '{"key":"key0999","value":"value 999"}',
    ])
    expect(node.requests.filter((each) => each === 'exec List').length).toBe(4)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('of a prefix leaves out the rest, and tells of conflicts', async () => {
    const node = await nodeWith([...numbered(3), [utf8('other'), utf8('x')]])
    node.conflicts.add('key0001')
    node.conflicts.add('other')
    const { stdout, stderr } = await exported(node, '-', '--prefix', 'key')
    expect(stdout.split('\n').map((line) => line.slice(8, 15))).toEqual(['key0000', 'key0001', 'key0002', ''])
    expect(stderr).toContain('exported 3 records')
    expect(stderr).toContain('1 key of which several values stand')
    const json = await run(['--json', 'store', 'export', join(folder, 'k.jsonl'), '--prefix', '0x6b'], node)
    expect(JSON.parse(json.stdout)).toMatchObject({ records: 3, conflicted: 1 })
  })

  test('of an empty store is an empty file', async () => {
    const file = join(folder, 'none.jsonl')
    expect((await exported(createFakeNode(), file)).exitCode).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('')
  })

  test('replaces nothing without --force, also where the file came meanwhile', async () => {
    const node = await nodeWith(numbered(3))
    const file = join(folder, 'all.jsonl')
    await writeFile(file, 'mine')
    const refused = await exported(node, file)
    expect(refused.exitCode).toBe(2)
    expect(refused.stderr).toContain('is there already')
    expect(await readFile(file, 'utf8')).toBe('mine')
    await rm(file)
    const meanwhile = withList(node, async () => writeFile(file, 'theirs'))
    expect((await run(['store', 'export', file], meanwhile)).stderr).toContain('is there already')
    expect(await readFile(file, 'utf8')).toBe('theirs')
    await symlink(file, join(folder, 'link.jsonl'))
    expect((await exported(node, join(folder, 'link.jsonl'), '--force')).exitCode).toBe(0)
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(4)
    expect((await readdir(folder)).sort()).toEqual(['all.jsonl', 'link.jsonl'])
  })

  test('that fails or is interrupted leaves no file, and what was there', async () => {
    const node = await nodeWith(numbered(700))
    const file = join(folder, 'all.jsonl')
    await writeFile(file, 'mine')
    let pages = 0
    const failing = withList(node, async () => {
      pages += 1
      expect(await readdir(folder)).toHaveLength(2)
      if (pages === 3) node.failWith('STORAGE_FAILED', 'the disk is gone')
    })
    expect((await run(['store', 'export', file, '--force'], failing)).stderr).toContain('the disk is gone')
    node.failWith(undefined)
    let interrupt: (exitCode: number) => void = () => undefined
    const interrupted: RunOptions = {
      ...withList(node, async () => interrupt(130)),
      onStart: (means) => {
        interrupt = means
      },
    }
    expect((await run(['store', 'export', file, '--force'], interrupted)).exitCode).toBe(130)
    expect(await readdir(folder)).toEqual(['all.jsonl'])
    expect(await readFile(file, 'utf8')).toBe('mine')
  })

  test('ends quietly when nobody reads it any more', async () => {
    const node = await nodeWith(numbered(900))
    const stdout = new PassThrough()
    const pages: number[] = []
    const closing = withList(node, async () => {
      pages.push(1)
      stdout.destroy()
    })
    expect((await run(['store', 'export', '-'], { ...closing, stdout })).exitCode).toBe(0)
    expect(pages).toHaveLength(1)
  })

  test('is refused where it cannot be written', async () => {
    const node = await nodeWith(numbered(1))
    await mkdir(join(folder, 'sub.jsonl'))
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[join(folder, 'sub.jsonl'), '--force'], 'is a directory'],
      [[join(folder, 'no', 'a.jsonl')], 'there is no directory for'],
      [[join(folder, 'a.txt')], 'how are the lines of'],
      [['/dev/null', '--force', '--separator', ';'], 'is no plain file'],
      [['-', '--prefix', '0xzz'], 'is not hex'],
    ]
    for (const [words, sentence] of cases) {
      const { exitCode, stdout, stderr } = await exported(node, ...words)
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(stderr).toContain(sentence)
    }
    const json = await run(['--json', 'store', 'export', '-', '--separator', ';'], node)
    expect(json).toMatchObject({ exitCode: 2, stdout: '' })
  })
})

/** The node, with `before` awaited before each page. */
function withList(node: FakeNode, before: () => Promise<unknown>): { readonly backend: FakeNode['backend'] } {
  const { dynamic } = node.backend
  const exec: typeof dynamic.exec = async (request, options) => {
    if (request.method === 'List') await before()
    return dynamic.exec(request, options)
  }
  return { backend: { ...node.backend, dynamic: { ...dynamic, exec } } }
}
