import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom } from '@lattice/model/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDataDirectory, whyUnusable } from './data-directory.ts'
import { loadIdentity } from './identity.ts'

const crypto = await openCrypto({ backend: 'wasm' })
let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lattice-dir-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const pid = 4711
const failure = (code: string, text: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(text) })

describe('data directory', () => {
  test('is made for its owner alone, with its parents', () => {
    const directory = openDataDirectory(join(root, 'a', 'b'), { pid })
    expect(statSync(directory.path).mode & 0o777).toBe(0o700)
    expect(readdirSync(directory.path).sort()).toEqual(['lock', 'stores'])
    directory.close()
  })

  test('is held once: a second taker is told which directory and by whom', () => {
    const directory = openDataDirectory(root, { pid })
    expect(() => openDataDirectory(root, { pid: 1 })).toThrow(
      failure('DATA_DIR_LOCKED', `${root} is in use by process 4711`),
    )
    directory.close()
    directory.close()
    openDataDirectory(root, { pid }).close()
  })

  test('a file in its place, or in its path, is refused', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => openDataDirectory(join(root, 'file'), { pid })).toThrow(
      failure('DATA_DIR_UNUSABLE', 'not a directory'),
    )
    expect(() => openDataDirectory(join(root, 'file', 'below'), { pid })).toThrow(
      failure('DATA_DIR_UNUSABLE', 'not a directory'),
    )
  })

  test('a lock that cannot be taken or a layout that cannot be made is refused, and nothing stays held', () => {
    mkdirSync(join(root, 'lock'))
    expect(() => openDataDirectory(root, { pid })).toThrow(failure('DATA_DIR_UNUSABLE', 'lock cannot be taken'))
    rmSync(join(root, 'lock'), { recursive: true })
    writeFileSync(join(root, 'stores'), '')
    expect(() => openDataDirectory(root, { pid })).toThrow(failure('DATA_DIR_UNUSABLE', 'not a directory'))
    rmSync(join(root, 'stores'))
    openDataDirectory(root, { pid }).close()
  })

  test('every refusal of the system becomes something to do', () => {
    expect(whyUnusable('EACCES')).toContain('change its owner or mode')
    expect(whyUnusable('EROFS')).toContain('read-only')
    expect(whyUnusable('ENOSPC')).toContain('full')
    expect(whyUnusable('EIO')).toContain('EIO')
  })
})

describe('identity', () => {
  const load = (mustExist = false): string =>
    toHex(
      loadIdentity({ path: join(root, 'identity.key'), mustExist, crypto, random: createSeededRandom('identity') })
        .publicKey,
    )

  test('is made once, for its owner alone, and read from then on', () => {
    const made = load()
    const path = join(root, 'identity.key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path)).toHaveLength(32)
    expect(load(true)).toBe(made)
    expect(readdirSync(root)).toEqual(['identity.key'])
  })

  test('what a crash left beside it is not taken for it', () => {
    writeFileSync(join(root, 'identity.key.new'), 'half')
    load()
    expect(readdirSync(root)).toEqual(['identity.key'])
  })

  test('is refused when others can read it, with the command that closes it', () => {
    load()
    chmodSync(join(root, 'identity.key'), 0o640)
    expect(load).toThrow(failure('IDENTITY_EXPOSED', `chmod 600 ${join(root, 'identity.key')}`))
  })

  test('is refused when its length is wrong', () => {
    for (const length of [0, 31, 33]) {
      writeFileSync(join(root, 'identity.key'), new Uint8Array(length), { mode: 0o600 })
      expect(load).toThrow(failure('IDENTITY_DAMAGED', `${length} bytes instead of 32`))
    }
  })

  test('is refused when it is no file, and never made anew where a node has lived', () => {
    expect(() => load(true)).toThrow(failure('IDENTITY_DAMAGED', 'restore it from a backup'))
    expect(readdirSync(root)).toEqual([])
    mkdirSync(join(root, 'identity.key'))
    expect(load).toThrow(failure('IDENTITY_UNREADABLE', 'not a file'))
  })
})
