/** Backups that are not as they were made, and places that will not do: each refused by name, and nothing changed. */
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8Encode } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { type NodeError, openDataDirectory, restoreBackup, type VerifiedBackup, verifyBackup } from '@lattice/node'
import { inlineFileCheck } from '@lattice/storage'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { onDisk } from './real-disk.ts'
import { put } from './support.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const root = mkdtempSync(join(tmpdir(), 'lattice-bad-backup-'))
const good = join(root, 'good')
const other = join(root, 'other')
let files: readonly string[] = []
let places = 0

const deps = {
  crypto,
  clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
  scheduler: {
    after: () => () => undefined,
    soon: (task: () => void) => {
      const handle = setImmediate(task)
      return () => clearImmediate(handle)
    },
  },
  fileCheck: inlineFileCheck,
}

beforeAll(async () => {
  for (const directory of [good, other]) {
    await using mesh = await createSimMesh({ seed: directory, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    for (let n = 0; n < 20; n += 1) await put(mesh, 0, id, [`k${n}`, `value ${n}`])
    await onDisk(mesh, mesh.node(0).backup({ directory }))
  }
  files = namesIn(good)
}, 120_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

function namesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(directory, name)).isFile())
    .toSorted()
}

function contentOf(directory: string): readonly string[] {
  return namesIn(directory).map((name) => `${name} ${readFileSync(join(directory, name)).toString('base64')}`)
}

/** A copy of the good backup, and a free place for a node. */
function copy(): { readonly directory: string; readonly dataDir: string } {
  places += 1
  const directory = join(root, `copy-${places}`)
  cpSync(good, directory, { recursive: true })
  return { directory, dataDir: join(root, `data-${places}`) }
}

async function verify(directory: string): Promise<VerifiedBackup> {
  return verifyBackup({ directory, ...deps })
}

/** Verifying and restoring are refused alike; the backup stays what it is, and the place free. Answers the problems. */
async function refused(
  { directory, dataDir }: ReturnType<typeof copy>,
  code = 'BACKUP_INVALID',
): Promise<readonly string[]> {
  const before = contentOf(directory)
  await expect(verify(directory)).rejects.toMatchObject({ code })
  const error: unknown = await restoreBackup({ directory, dataDir, ...deps }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code })
  expect(contentOf(directory)).toEqual(before)
  expect(existsSync(dataDir)).toBe(false)
  expect(existsSync(`${dataDir}.restoring`)).toBe(false)
  return ((error as NodeError).detail['problems'] ?? []) as readonly string[]
}

function flip(path: string, at: number): void {
  const byte = readFileSync(path).subarray(at, at + 1)
  const file = openSync(path, 'r+')
  writeSync(file, new Uint8Array([(byte[0] ?? 0) ^ 0x01]), 0, 1, at)
  closeSync(file)
}

test('a backup is good, says what is in it, and is not changed by being looked at', async () => {
  const before = contentOf(good)
  expect(await verify(good)).toMatchObject({
    withIdentity: true,
    stores: [{ path: 'mine', state: 'active', records: 22, isAsItWas: false, ownTips: [expect.any(Uint8Array)] }],
    leftOut: [],
    extra: [],
  })
  expect(contentOf(good)).toEqual(before)
  expect(files.map((name) => name.replace(/[0-9a-f]{64}/u, 'ID'))).toEqual([
    'backup.json',
    'identity.key',
    'meta.db',
    'stores/ID/log.db',
    'stores/ID/state.db',
  ])
})

describe('a backup that is not as it was made', () => {
  test('is refused whichever byte of whichever file is another', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (which, where) => {
          const place = copy()
          const name = files[which % files.length] ?? ''
          const path = join(place.directory, name)
          flip(path, Math.floor(where * statSync(path).size))
          const [problem] = await refused(place)
          expect(problem).toContain(name)
          rmSync(place.directory, { recursive: true })
        },
      ),
      {
        numRuns: 40,
        examples: [
          [0, 0],
          [1, 0],
          [2, 0],
          [3, 0],
          [4, 0],
        ],
      },
    )
  }, 120_000)

  test('is refused when a file is cut short, longer, missing, a link or a directory', async () => {
    for (const name of files) {
      const changes: ((path: string) => void)[] = [
        (path) => truncateSync(path, statSync(path).size - 1),
        (path) => truncateSync(path, 0),
        (path) => appendFileSync(path, 'x'),
        (path) => rmSync(path),
        (path) => {
          renameSync(path, `${path}.moved`)
          symlinkSync(`${path}.moved`, path)
        },
        (path) => {
          rmSync(path)
          mkdirSync(path)
        },
      ]
      for (const change of changes) {
        const place = copy()
        change(join(place.directory, name))
        expect((await refused(place))[0]).toContain(name)
        rmSync(place.directory, { recursive: true })
      }
    }
  }, 120_000)

  test('is refused with files that SQLite would read along, and only tells of others', async () => {
    for (const suffix of ['-wal', '-shm', '-journal']) {
      for (const name of files.filter((each) => each.endsWith('.db'))) {
        const place = copy()
        writeFileSync(join(place.directory, name + suffix), 'x')
        expect((await refused(place))[0]).toContain(`${name}${suffix} is no part of it`)
      }
    }
    const { directory, dataDir } = copy()
    writeFileSync(join(directory, 'notes.txt'), 'on the shelf')
    mkdirSync(join(directory, 'stores', 'more', 'below'), { recursive: true })
    expect((await verify(directory)).extra).toEqual(['notes.txt', 'stores/more'])
    await restoreBackup({ directory, dataDir, ...deps })
    expect(existsSync(join(dataDir, 'notes.txt'))).toBe(false)
    expect(existsSync(join(dataDir, 'backup.json'))).toBe(false)
  })

  test('is refused with what belongs to another node, though every sum is right', async () => {
    for (const name of ['identity.key', 'meta.db']) {
      const place = copy()
      cpSync(join(other, name), join(place.directory, name))
      await resum(place.directory)
      expect((await refused(place))[0]).toContain(name)
    }
  })

  test('is refused with a log that is damaged, though every sum is right', async () => {
    const place = copy()
    const log = join(place.directory, files.find((name) => name.endsWith('log.db')) ?? '')
    const content = readFileSync(log)
    // A page that was written anew leaves what it held before in the space that is free.
    const places = [...content.keys()].filter((at) => content.subarray(at, at + 8).equals(Buffer.from('value 17')))
    expect(places.length).toBeGreaterThan(0)
    for (const at of places) flip(log, at)
    await resum(place.directory)
    expect((await refused(place))[0]).toContain('record')
  })

  test('is refused with a database that would not be read alone, though every sum is right', async () => {
    for (const name of files.filter((each) => each.endsWith('.db'))) {
      const place = copy()
      const file = openSync(join(place.directory, name), 'r+')
      writeSync(file, new Uint8Array([2, 2]), 0, 2, 18)
      closeSync(file)
      await resum(place.directory)
      expect((await refused(place))[0]).toContain(name)
    }
  })

  test('is refused by its format when that is newer, and with names that lead elsewhere', async () => {
    const newer = copy()
    edit(newer.directory, (text) => text.replace('"format": 1', '"format": 2'))
    await refused(newer, 'SCHEMA_TOO_NEW')
    for (const name of ['../meta.db', '/etc/passwd', 'stores/../meta.db', 'meta.db\0']) {
      const place = copy()
      edit(place.directory, (text) => text.replace('"path": "meta.db"', `"path": ${JSON.stringify(name)}`))
      await resum(place.directory)
      expect((await refused(place))[0]).toContain('form')
    }
    for (const text of ['', '{', '[]', 'null', '{"format":1}', '{"format":-1}', '{"format":1,"files":{}}', '\uFFFD']) {
      const place = copy()
      edit(place.directory, () => text)
      expect((await refused(place))[0]).toContain('backup.json')
    }
  })
})

describe('a place', () => {
  test('that holds something, or is held, is refused and stays as it is', async () => {
    const { directory, dataDir } = copy()
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'mine'), 'x')
    await expect(restoreBackup({ directory, dataDir, ...deps })).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' })
    expect(readdirSync(dataDir)).toEqual(['mine'])
    const held = join(root, 'held')
    const lock = openDataDirectory(held, { pid: 77 })
    await expect(restoreBackup({ directory, dataDir: held, ...deps })).rejects.toMatchObject({
      code: 'DATA_DIR_LOCKED',
      detail: { pid: 77 },
    })
    lock.close()
    const file = join(root, 'file')
    writeFileSync(file, 'x')
    for (const taken of [file, join(file, 'below')]) {
      await expect(restoreBackup({ directory, dataDir: taken, ...deps })).rejects.toMatchObject({
        code: 'DATA_DIR_UNUSABLE',
      })
    }
    const making = join(root, 'cut-off')
    mkdirSync(`${making}.restoring`)
    await expect(restoreBackup({ directory, dataDir: making, ...deps })).rejects.toMatchObject({
      code: 'DATA_DIR_UNUSABLE',
      message: expect.stringContaining('if none runs, remove it'),
    })
  })

  test('is free again after a restore that was cancelled, wherever', async () => {
    for (let calls = 0; calls < 8; calls += 1) {
      const { directory, dataDir } = copy()
      const controller = new AbortController()
      const reason = new Error('enough')
      let left = calls
      const restoring = restoreBackup({
        directory,
        dataDir,
        ...deps,
        signal: controller.signal,
        onProgress: () => {
          expect(existsSync(dataDir)).toBe(false)
          left -= 1
          if (left < 0) controller.abort(reason)
        },
      })
      await expect(restoring).rejects.toBe(reason)
      expect(readdirSync(root).filter((name) => name.startsWith(`data-${places}`))).toEqual([])
    }
  })

  test('inside the data directory, through a link too, that is relative, or taken, gets no backup', async () => {
    await using mesh = await createSimMesh({ seed: 'places', nodes: 1 })
    const node = mesh.node(0)
    const link = join(root, 'link')
    symlinkSync(node.dataDir, link)
    const before = readdirSync(node.dataDir)
    for (const directory of [
      node.dataDir,
      join(node.dataDir, 'a', 'b'),
      join(link, 'a'),
      good,
      join(root, 'good', 'meta.db'),
    ]) {
      await expect(node.backup({ directory })).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' })
    }
    await expect(node.backup({ directory: 'relative' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const cutOff = join(root, 'cut')
    cpSync(good, cutOff, { recursive: true })
    rmSync(join(cutOff, 'backup.json'))
    await expect(node.backup({ directory: cutOff })).rejects.toThrow('it holds a backup that was cut off')
    await expect(verify(cutOff)).rejects.toMatchObject({ code: 'BACKUP_INVALID' })
    expect(readdirSync(node.dataDir)).toEqual(before)
  })
})

function edit(directory: string, change: (text: string) => string): void {
  const path = join(directory, 'backup.json')
  writeFileSync(path, change(readFileSync(path, 'utf8')))
}

/** Writes every sum of the manifest anew, as whoever wants to deceive would. */
async function resum(directory: string): Promise<void> {
  edit(directory, (text) => {
    const { checksum: _, ...body } = JSON.parse(text) as Manifest
    for (const file of [...body.files, ...body.stores.flatMap((store) => store.files)]) {
      const path = join(directory, file.path)
      if (!existsSync(path) || !statSync(path).isFile()) continue
      const bytes = new Uint8Array(readFileSync(path))
      file.bytes = bytes.length
      file.hash = Buffer.from(crypto.blake3(crypto.blake3(bytes))).toString('hex')
    }
    const checksum = Buffer.from(crypto.blake3(utf8Encode(JSON.stringify(body)))).toString('hex')
    return `${JSON.stringify({ ...body, checksum }, undefined, 2)}\n`
  })
}

interface ManifestFile {
  readonly path: string
  bytes: number
  hash: string
}
interface Manifest {
  readonly checksum: string
  readonly files: readonly ManifestFile[]
  readonly stores: readonly { readonly files: readonly ManifestFile[] }[]
}
