import { concatBytes, fromHex, utf8Decode, utf8Encode } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_ENTRIES,
  MAX_ENTRY_DEPTH,
  MAX_ENTRY_NAME_BYTES,
  MAX_FILE_BYTES,
  MAX_MANIFEST_FIELDS,
  MAX_MANIFEST_FILE_BYTES,
  MAX_UNPACKED_BYTES,
  RATIO_FREE_BYTES,
} from '../limits.ts'
import { runAtOnce } from '../sliced.ts'
import { appManifest, buildZip, type ZipOptions, type ZipSource } from '../testing/build-zip.ts'
import { BundleInvalid, type BundleReason } from './bundle-problem.ts'
import { crc32 } from './crc32.ts'
import { readBundle } from './read-bundle.ts'
import { unpackEntry } from './unpack-entry.ts'
import { readZipDirectory } from './zip-directory.ts'
import { readZipLayout } from './zip-layout.ts'

const manifest = appManifest('com.example.notes')

function reasonOf(zip: Uint8Array, appId?: string): BundleReason | 'ok' {
  const read = readBundle(zip, appId)
  return read.ok ? 'ok' : read.error.reason
}

/** The verdict on a bundle that is good but for what is given. */
function verdict(sources: readonly ZipSource[], options?: ZipOptions): BundleReason | 'ok' {
  return reasonOf(buildZip([manifest, ...sources], options))
}

/** Made by CPython's zipfile: a folder, files of three kinds, a comment. */
const ZIP_OF_PYTHON = [
  '504b030414000000000000002100000000000000000000000000070000006173736574732f504b030414000000080068767b5d37',
  '9e0e8e15000000130000000d0000006d616e69666573742e746f6d6c8b4e2c2888e5ca4c51b05550cacb2f492d56e20200504b03',
  '0414000000080068767b5d132d431b070000002c0100000a000000696e6465782e68746d6caba81805c40200504b030414000008',
  '080068767b5dd569d9630400000002000000140000006173736574732fc3bc6ec3af636f64652e7478743bbc0700504b01021403',
  '14000000000000002100000000000000000000000000070000000000000000001000ff41000000006173736574732f504b010214',
  '0314000000080068767b5d379e0e8e15000000130000000d0000000000000000000000a481250000006d616e69666573742e746f',
  '6d6c504b0102140314000000080068767b5d132d431b070000002c0100000a0000000000000000000000a48165000000696e6465',
  '782e68746d6c504b0102140314000008080068767b5dd569d9630400000002000000140000000000000000000000800194000000',
  '6173736574732fc3bc6ec3af636f64652e747874504b05060000000004000400ea000000ca0000000e006d61646520656c736577',
  '68657265',
].join('')

/** Made by Info-ZIP into a pipe: Unix modes and times, sizes after the data. */
const ZIP_OF_INFO_ZIP = [
  '504b030414000800080069767b5d0000000000000000030000000c001c006173736574732f622e7478745554090003e598096be5',
  '98096b75780b000104000000000400000000cbc8e40200504b07087a7a6fed0500000003000000504b030414000800080068767b',
  '5d00000000000000002c0100000a001c00696e6465782e68746d6c5554090003e498096be598096b75780b000104000000000400',
  '000000aba81805c40200504b0708132d431b070000002c010000504b030414000800080068767b5d000000000000000013000000',
  '0d001c006d616e69666573742e746f6d6c5554090003e498096be598096b75780b0001040000000004000000008b4e2c2888e5ca',
  '4c51b05550cacb2f492d56e20200504b0708379e0e8e1500000013000000504b01021e0314000800080069767b5d7a7a6fed0500',
  '0000030000000c0018000000000001000000a481000000006173736574732f622e7478745554050003e598096b75780b00010400',
  '0000000400000000504b01021e0314000800080068767b5d132d431b070000002c0100000a0018000000000001000000a4815b00',
  '0000696e6465782e68746d6c5554050003e498096b75780b000104000000000400000000504b01021e0314000800080068767b5d',
  '379e0e8e15000000130000000d0018000000000001000000a481b60000006d616e69666573742e746f6d6c5554050003e498096b',
  '75780b000104000000000400000000504b05060000000003000300f5000000220100000000',
].join('')

describe('a bundle', () => {
  test('is read with its manifest and its files', () => {
    const data = 'hello '.repeat(1000)
    const read = readBundle(
      buildZip([
        { name: 'img/', stored: true },
        { name: 'img/ä.svg', data: '<svg/>', stored: true },
        { name: 'index.html', data, descriptor: 'signed' },
        { name: 'empty.txt', data: '' },
        { name: 'script.js', data: '1', descriptor: 'plain', mode: 0o100644 },
        manifest,
      ]),
      'com.example.notes',
    )
    if (!read.ok) throw new BundleInvalid(read.error)
    expect(read.value.manifest).toMatchObject({ id: 'com.example.notes', version: '1.0.0', name: '', storeType: '' })
    expect(read.value.files.map((file) => [file.name, file.size])).toEqual([
      ['img/ä.svg', 6],
      ['index.html', 6000],
      ['empty.txt', 0],
      ['script.js', 1],
      ['manifest.toml', 49],
    ])
    expect(read.value.files.slice(0, 4).map((file) => utf8Decode(file.read()))).toEqual(['<svg/>', data, '', '1'])
  })

  test.each<[string, string, readonly [string, number][]]>([
    [
      'zipfile',
      ZIP_OF_PYTHON,
      [
        ['manifest.toml', 19],
        ['index.html', 300],
        ['assets/ünïcode.txt', 2],
      ],
    ],
    [
      'zip',
      ZIP_OF_INFO_ZIP,
      [
        ['assets/b.txt', 3],
        ['index.html', 300],
        ['manifest.toml', 19],
      ],
    ],
  ])('as %s makes it is read', (_, hex, files) => {
    const read = readBundle(fromHex(hex) ?? new Uint8Array())
    if (!read.ok) throw new BundleInvalid(read.error)
    expect(read.value.files.map(({ name, size }) => [name, size])).toEqual(files)
  })

  test('has the checksum of the standard', () => {
    expect(crc32(utf8Encode('123456789'))).toBe(0xcbf43926)
    expect(crc32(utf8Encode('6789'), crc32(utf8Encode('12345')))).toBe(0xcbf43926)
  })

  test('may have a comment, which is no zip of its own', () => {
    expect(verdict([], { comment: utf8Encode('commit 0123') })).toBe('ok')
    expect(verdict([], { comment: buildZip([manifest]) })).toBe('ambiguous_end')
  })
})

describe('what is no zip is refused:', () => {
  test.each<[string, Uint8Array, BundleReason]>([
    ['nothing', new Uint8Array(), 'not_a_zip'],
    ['other bytes', utf8Encode('this is a text that is longer than the end of a zip'), 'not_a_zip'],
    ['an empty zip', buildZip([]), 'manifest_missing'],
    ['bytes after the end', concatBytes(buildZip([manifest]), Uint8Array.of(0)), 'not_a_zip'],
    ['bytes before the files', concatBytes(Uint8Array.of(0), buildZip([manifest])), 'directory_damaged'],
    ['too many bytes', new Uint8Array(MAX_BUNDLE_BYTES + 1), 'too_large'],
  ])('%s', (_, bytes, reason) => {
    expect(reasonOf(bytes)).toBe(reason)
  })

  test.each<[string, ZipOptions, BundleReason]>([
    ['a piece of several: this disk', { end: { 4: { bytes: 2, value: 1 } } }, 'multi_disk'],
    ['a piece of several: the directory', { end: { 6: { bytes: 2, value: 1 } } }, 'multi_disk'],
    ['a piece of several: the count', { end: { 8: { bytes: 2, value: 0 } } }, 'multi_disk'],
    ['zip64: the count', { end: { 8: { bytes: 2, value: 0xffff }, 10: { bytes: 2, value: 0xffff } } }, 'zip64'],
    ['zip64: the size', { end: { 12: { bytes: 4, value: 0xffffffff } } }, 'zip64'],
    ['zip64: the place', { end: { 16: { bytes: 4, value: 0xffffffff } } }, 'zip64'],
    ['zip64: a locator', { beforeEnd: concatBytes(Uint8Array.of(0x50, 0x4b, 6, 7), new Uint8Array(16)) }, 'zip64'],
    ['bytes after the files', { beforeDirectory: Uint8Array.of(1) }, 'stray_data'],
    ['a gap before the end', { beforeEnd: new Uint8Array(40) }, 'directory_damaged'],
    ['a directory elsewhere', { end: { 16: { bytes: 4, value: 0 } } }, 'directory_damaged'],
    [
      'a directory that is too short for its entries',
      { end: { 12: { bytes: 4, value: 45 }, 16: { bytes: 4, value: 125 } } },
      'directory_damaged',
    ],
    [
      'fewer entries than it has',
      { end: { 8: { bytes: 2, value: 0 }, 10: { bytes: 2, value: 0 } } },
      'directory_damaged',
    ],
    [
      'more entries than fit',
      { end: { 8: { bytes: 2, value: 5000 }, 10: { bytes: 2, value: 5000 } } },
      'too_many_entries',
    ],
  ])('%s', (_, options, reason) => {
    expect(verdict([], options)).toBe(reason)
  })
})

describe('a name is refused that', () => {
  test.each<[string, string | Uint8Array, BundleReason]>([
    ['climbs', '../evil.js', 'name_escapes'],
    ['climbs from within', 'a/../../evil.js', 'name_escapes'],
    ['ends in the folder above', 'a/..', 'name_escapes'],
    ['is the folder itself', './a', 'name_escapes'],
    ['is absolute', '/etc/passwd', 'name_absolute'],
    ['is on a drive', 'C:evil.js', 'name_absolute'],
    ['is on a drive, absolute', 'c:/evil.js', 'name_absolute'],
    ['has backslashes', '..\\evil.js', 'name_backslash'],
    ['is a share', '\\\\host\\share', 'name_backslash'],
    ['has an empty folder', 'a//b', 'name_segment_empty'],
    ['has a NUL', 'a\0.js', 'name_control'],
    ['has a line break', 'a\n.js', 'name_control'],
    ['has an escape', 'a\u001b[2J', 'name_control'],
    ['has a C1 control', 'a\u0085', 'name_control'],
    ['is empty', '', 'name_empty'],
    ['is not UTF-8', Uint8Array.of(0x61, 0xff), 'name_not_utf8'],
    ['is UTF-8 in another form', Uint8Array.of(0xc0, 0xae, 0xc0, 0xae, 0x2f), 'name_not_utf8'],
    ['has a byte order mark', '\ufeffmanifest.toml', 'name_not_utf8'],
    ['is too long', 'x'.repeat(MAX_ENTRY_NAME_BYTES + 1), 'name_too_long'],
    ['is too deep', 'x/'.repeat(MAX_ENTRY_DEPTH) + 'x', 'name_too_deep'],
  ])('%s', (_, name, reason) => {
    expect(verdict([{ name, data: 'x' }])).toBe(reason)
  })

  test.each<[string, readonly string[], BundleReason]>([
    ['is there twice', ['a.js', 'a.js'], 'name_duplicate'],
    ['differs in case alone', ['A.js', 'a.JS'], 'name_duplicate'],
    ['differs in Unicode form alone', ['é.js', 'e\u0301.js'], 'name_duplicate'],
    ['is the manifest in another case', ['Manifest.TOML'], 'name_duplicate'],
    ['is a folder twice', ['a/', 'A/'], 'name_duplicate'],
    ['is file and folder', ['a', 'a/'], 'name_conflict'],
    ['is folder and file', ['a/', 'a'], 'name_conflict'],
    ['is a file with something in it', ['a', 'A/b'], 'name_conflict'],
    ['is a file with something deep in it', ['a/b/c', 'a/B'], 'name_conflict'],
  ])('%s', (_, names, reason) => {
    expect(verdict(names.map((name) => ({ name, data: name.endsWith('/') ? '' : 'x' })))).toBe(reason)
  })

  test('and is told without what a terminal acts on', () => {
    const read = readBundle(buildZip([manifest, { name: '\u001b[31m' + 'x'.repeat(300) }]))
    expect(read.ok ? undefined : read.error.entry).toBe('?[31m' + 'x'.repeat(75))
  })
})

describe('a file is refused that', () => {
  const big = new Uint8Array(RATIO_FREE_BYTES + 1)
  test.each<[string, ZipSource, BundleReason]>([
    ['is encrypted', { name: 'a', central: { flags: 1 }, local: { flags: 1 } }, 'encrypted'],
    ['is encrypted strongly', { name: 'a', central: { flags: 64 }, local: { flags: 64 } }, 'encrypted'],
    ['is masked', { name: 'a', central: { flags: 1 << 13 }, local: { flags: 1 << 13 } }, 'encrypted'],
    ['is a patch', { name: 'a', central: { flags: 1 << 5 }, local: { flags: 1 << 5 } }, 'flags_unsupported'],
    ['is packed otherwise', { name: 'a', central: { method: 9 }, local: { method: 9 } }, 'method_unsupported'],
    ['is a link', { name: 'a', mode: 0o120777 }, 'special_file'],
    ['is a device', { name: 'a', mode: 0o020644 }, 'special_file'],
    ['is a folder by its mode', { name: 'a', mode: 0o040755 }, 'special_file'],
    ['is a file by its mode, but not by its name', { name: 'a/', mode: 0o100644 }, 'special_file'],
    ['is a folder with content', { name: 'a/', data: 'x' }, 'folder_not_empty'],
    ['is on another disk', { name: 'a', central: { disk: 1 } }, 'multi_disk'],
    ['has zip64 sizes', { name: 'a', central: { extra: Uint8Array.of(1, 0, 0, 0) } }, 'zip64'],
    ['has the size of zip64', { name: 'a', central: { packedBytes: 0xffffffff } }, 'zip64'],
    ['has a torn extra field', { name: 'a', central: { extra: Uint8Array.of(9, 9, 5, 0, 1) } }, 'directory_damaged'],
    ['says it is too large', { name: 'a', central: { unpackedBytes: MAX_FILE_BYTES + 1 } }, 'file_too_large'],
    [
      'is stored in another size',
      { name: 'a', data: 'xy', stored: true, central: { packedBytes: 1 } },
      'size_mismatch',
    ],
    ['has another name inside', { name: 'a', local: { name: utf8Encode('b') } }, 'header_mismatch'],
    ['has another method inside', { name: 'a', local: { method: 0 } }, 'header_mismatch'],
    ['has other flags inside', { name: 'a', local: { flags: 0 } }, 'header_mismatch'],
    ['has another size inside', { name: 'a', data: 'xy', local: { unpackedBytes: 3 } }, 'header_mismatch'],
    ['has another checksum inside', { name: 'a', local: { crc: 1 } }, 'header_mismatch'],
    ['has no descriptor', { name: 'a', central: { flags: 8 }, local: { flags: 8 } }, 'header_mismatch'],
    ['has the header of another', { name: 'a', central: { offset: 1 } }, 'stray_data'],
    [
      'reaches into the directory',
      { name: 'a', central: { packedBytes: 500 }, local: { packedBytes: 500 } },
      'stray_data',
    ],
    ['has bytes before it', { name: 'a', gap: Uint8Array.of(1, 2) }, 'stray_data'],
    [
      'is larger than it says',
      { name: 'a', data: 'xyz', central: { unpackedBytes: 2 }, local: { unpackedBytes: 2 } },
      'size_mismatch',
    ],
    [
      'is smaller than it says',
      { name: 'a', data: 'xyz', central: { unpackedBytes: 4 }, local: { unpackedBytes: 4 } },
      'size_mismatch',
    ],
    ['has another content', { name: 'a', data: 'xyz', central: { crc: 7 }, local: { crc: 7 } }, 'crc_mismatch'],
    ['has no deflated data', { name: 'a', data: 'xyz', packed: new Uint8Array() }, 'data_damaged'],
    ['has torn data', { name: 'a', data: 'x'.repeat(90), packed: Uint8Array.of(0x4b) }, 'data_damaged'],
    ['has other data', { name: 'a', data: 'xyz', packed: Uint8Array.of(0xff, 0xff, 0xff, 0xff) }, 'data_damaged'],
    ['is packed too well', { name: 'a', data: big }, 'ratio'],
  ])('%s', (_, source, reason) => {
    expect(verdict([source])).toBe(reason)
  })
})

describe('a bomb', () => {
  test('that says what it unpacks to is not unpacked', () => {
    const zeros = new Uint8Array(MAX_FILE_BYTES)
    expect(verdict([{ name: 'a', data: zeros }])).toBe('ratio')
  })

  test('that says less is unpacked no further than that', () => {
    const bomb = buildZip([{ name: 'x', data: new Uint8Array(MAX_FILE_BYTES) }])
    // The packed bytes of sixteen mebibytes, for a file of ten bytes.
    const packed = bomb.slice(31, bomb.length - 22 - 47)
    expect(verdict([{ name: 'a', data: 'xxxxxxxxxx', packed }])).toBe('size_mismatch')
  })

  test('gives no more than it says it has', () => {
    const zip = buildZip([
      {
        name: 'a',
        data: new Uint8Array(2 * MAX_FILE_BYTES),
        central: { unpackedBytes: 10 },
        local: { unpackedBytes: 10 },
      },
    ])
    const directory = runAtOnce(readZipDirectory(zip))
    const layout = directory.ok ? runAtOnce(readZipLayout(zip, directory.value)) : directory
    const [packed] = layout.ok ? layout.value : []
    if (packed === undefined) throw new Error('the zip has a file')
    let given = 0
    const unpacked = runAtOnce(
      unpackEntry(packed, (piece) => {
        given += piece.length
      }),
    )
    expect(unpacked).toMatchObject({ ok: false, error: { reason: 'size_mismatch' } })
    expect(given).toBeLessThanOrEqual(10)
  })

  test('of files that share their data is refused before any is unpacked', () => {
    const kernel = { name: 'b0', data: 'x'.repeat(60_000) }
    const start = buildZip([manifest]).length - 22 - 46 - 'manifest.toml'.length
    const shared = Array.from({ length: 50 }, (_, index) => ({
      ...kernel,
      name: `c${index}`,
      central: { offset: start, name: utf8Encode('b0') },
    }))
    expect(verdict([kernel, ...shared])).toBe('name_duplicate')
    const renamed = shared.map(({ central: { offset }, ...source }) => ({ ...source, central: { offset } }))
    expect(verdict([kernel, ...renamed])).toBe('stray_data')
  })

  test('of many files within bounds is refused by what they are together', () => {
    const many = Array.from({ length: MAX_UNPACKED_BYTES / MAX_FILE_BYTES + 1 }, (_, index) => ({
      name: `f${index}`,
      central: { unpackedBytes: MAX_FILE_BYTES },
    }))
    expect(verdict(many)).toBe('unpacked_too_large')
  })

  test('of names is refused', () => {
    const names = Array.from({ length: MAX_BUNDLE_ENTRIES }, (_, index) => ({ name: `f${index}`, stored: true }))
    expect(verdict(names.slice(1))).toBe('ok')
    expect(verdict(names)).toBe('too_many_entries')
  })
})

describe('a manifest', () => {
  const manifestVerdict = (data: string | Uint8Array, appId?: string): BundleReason | 'ok' =>
    reasonOf(buildZip([{ name: 'manifest.toml', data, stored: true }]), appId)

  test.each<[string, string | Uint8Array, BundleReason | 'ok']>([
    ['is good with an id alone', '[app]\nid = "notes"', 'ok'],
    ['may have a byte order mark', '\ufeff[app]\nid = "notes"', 'ok'],
    ['is UTF-8', Uint8Array.of(0x23, 0xff), 'manifest_not_utf8'],
    ['is TOML', '[app', 'manifest_not_toml'],
    ['has no key twice', '[app]\nid = "a"\nid = "b"', 'manifest_not_toml'],
    ['reaches no prototype', '[app]\nid = "a"\n[__proto__]\nx = 1', 'manifest_not_toml'],
    ['has tables of few levels', `[app]\nid = "a"\n[${'a.'.repeat(40)}b]\nx = 1`, 'manifest_not_toml'],
    ['has lists of few levels', `[app]\nid = "a"\nx = ${'['.repeat(400)}${']'.repeat(400)}`, 'manifest_not_toml'],
    ['names an app', '[site]\nid = "a"', 'app_id_missing'],
    ['names an app by an id', '[app]\nname = "a"', 'app_id_missing'],
    ['names an app by an id that is there', '[app]\nid = ""', 'app_id_missing'],
    ['is of an app that is a table', 'app = "a"', 'app_id_missing'],
    ['has an id that is text', '[app]\nid = 1', 'manifest_field_type'],
    ['has a version that is text', '[app]\nid = "a"\nversion = 1.0', 'manifest_field_type'],
    ['has an id of small letters', '[app]\nid = "Notes"', 'app_id_invalid'],
    ['has an id that is no path', '[app]\nid = "../a"', 'app_id_invalid'],
    ['has an id without double dots', '[app]\nid = "a..b"', 'app_id_invalid'],
    ['has an id that is short', `[app]\nid = "${'a'.repeat(129)}"`, 'app_id_invalid'],
    ['names a store type', '[app]\nid = "a"\nstore_type = "core:kvstore"', 'ok'],
    ['names nothing else as a store type', '[app]\nid = "a"\nstore_type = "kvstore"', 'store_type_invalid'],
    ['is small', `[app]\nid = "a"\n#${'x'.repeat(MAX_MANIFEST_FILE_BYTES)}`, 'manifest_too_large'],
    [
      'has few entries',
      `[app]\nid = "a"\n${Array.from({ length: MAX_MANIFEST_FIELDS }, (_, i) => `k${i} = 1`).join('\n')}`,
      'manifest_too_many_fields',
    ],
    ['has short entries', `[app]\nid = "a"\nlong = "${'x'.repeat(5000)}"`, 'manifest_field_too_long'],
    ['has short names', `[app]\nid = "a"\n${'x'.repeat(200)} = 1`, 'manifest_field_too_long'],
    [
      'is small all together',
      `[app]\nid = "a"\n${Array.from({ length: 14 }, (_, i) => `k${i} = "${'x'.repeat(4000)}"`).join('\n')}`,
      'manifest_field_too_long',
    ],
  ])('%s', (_, data, reason) => {
    expect(manifestVerdict(data)).toBe(reason)
  })

  test('is of the app that was asked for', () => {
    expect(manifestVerdict('[app]\nid = "notes"', 'notes')).toBe('ok')
    expect(manifestVerdict('[app]\nid = "notes"', 'other')).toBe('app_id_mismatch')
  })

  test('is at the root', () => {
    expect(reasonOf(buildZip([{ ...manifest, name: 'app/manifest.toml' }]))).toBe('manifest_missing')
  })

  test('is kept with every table, flattened, in order', () => {
    const data = `
title = "left out"
[window]
width = 640
ratio = 1.5
big = 9007199254740993
at = 2026-01-02T03:04:05Z
[app]
id = "notes"
name = "Notes"
tags = ["a", 1]
[app.window]
open = true
[[route]]
path = "/"
`
    const read = readBundle(buildZip([{ name: 'manifest.toml', data }]))
    if (!read.ok) throw new BundleInvalid(read.error)
    expect(read.value.manifest.name).toBe('Notes')
    expect(read.value.manifest.fields.map(({ table, key, value }) => `${table} ${key} ${value}`)).toEqual([
      'app id notes',
      'app name Notes',
      'app tags ["a",1]',
      'app.window open true',
      'window at 2026-01-02T03:04:05.000Z',
      'window big 9007199254740993',
      'window ratio 1.5',
      'window width 640',
    ])
  })
})

describe('any bytes', () => {
  const random = createSeededRandom('bundle')
  const seeds = [
    buildZip([manifest, { name: 'a/b.js', data: 'let x = 1\n'.repeat(200) }, { name: 'c', data: 'c', stored: true }]),
    buildZip([{ name: 'x', data: random.bytes(100), descriptor: 'signed' }, manifest, { name: 'y/', stored: true }]),
  ]
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }))
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat({ max: 30 }))
    .map(([seed, changes, cut]) => {
      const bytes = seed.slice(0, cut < 20 ? seed.length : seed.length - (cut - 20) * 9)
      for (const [place, value] of changes) if (bytes.length > 0) bytes[place % bytes.length] = value
      return bytes
    })

  test('give a bundle or a problem, and a bundle can be read whole', () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: mutated }, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const read = readBundle(bytes)
        if (!read.ok) {
          expect(new BundleInvalid(read.error).message).toMatch(/: /)
          return
        }
        for (const file of read.value.files) expect(file.read()).toHaveLength(file.size)
      }),
      { numRuns: 2000 },
    )
  })

  test('of a bundle that is cut short are none', () => {
    for (const seed of seeds)
      for (let length = 0; length < seed.length; length += 1) expect(reasonOf(seed.subarray(0, length))).not.toBe('ok')
  })

  test('changed in one bit are the same content, or refused', () => {
    for (const seed of seeds) {
      const before = readBundle(seed)
      if (!before.ok) throw new BundleInvalid(before.error)
      for (let place = 0; place < seed.length; place += 1) {
        const bytes = seed.slice()
        bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8))
        const after = readBundle(bytes)
        if (!after.ok) continue
        expect(after.value.files.map((file) => file.read())).toEqual(before.value.files.map((file) => file.read()))
      }
    }
  })
})
