/**
 * Checks an app bundle whole: a zip with a `manifest.toml`, of which every file was unpacked once.
 *
 * Pure and total: any bytes give a bundle or a problem. Nothing is unpacked before its size is known to be within
 * bounds, and no more than that size; of a check nothing is kept but the manifest.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'
import type { root } from '@lattice/proto'
import { MAX_BUNDLE_BYTES, MAX_MANIFEST_FILE_BYTES } from '../limits.ts'
import { runAtOnce, type Sliced } from '../sliced.ts'
import type { BundleProblem } from './bundle-problem.ts'
import { readManifest } from './manifest.ts'
import { readEntryContent, unpackEntry } from './unpack-entry.ts'
import { readZipDirectory } from './zip-directory.ts'
import { type PackedEntry, readZipLayout } from './zip-layout.ts'
import { checkNamesTogether, isFolder } from './zip-name.ts'

/** One file of a bundle. */
export interface BundleFile {
  /** Path within the bundle, with slashes. */
  readonly name: string
  /** Bytes of its content. */
  readonly size: number
  /** Unpacks the content, anew each time. */
  readonly read: () => Uint8Array
}

export interface Bundle {
  readonly manifest: root.Manifest
  /** In the order of the zip, without its folders. */
  readonly files: readonly BundleFile[]
}

const MANIFEST_NAME = 'manifest.toml'

/** Reads a bundle, of app `appId` where it is given. The files are views of `zip`, which is not to be changed. */
export function readBundle(zip: Uint8Array, appId?: string): Result<Bundle, BundleProblem> {
  return runAtOnce(checkBundle(zip, appId))
}

/** As {@link readBundle}, in slices. */
export function* checkBundle(zip: Uint8Array, appId?: string): Sliced<Result<Bundle, BundleProblem>> {
  if (zip.length > MAX_BUNDLE_BYTES) return err({ reason: 'too_large' })
  const packed = yield* readEntries(zip)
  if (!packed.ok) return packed
  const files = packed.value.filter(({ entry }) => !isFolder(entry.name))
  // First what is cheap: the manifest of a bundle that is not wanted is no reason to unpack it.
  const found = files.find(({ entry }) => entry.name === MANIFEST_NAME)
  if (found === undefined) return err({ reason: 'manifest_missing' })
  if (found.entry.unpackedBytes > MAX_MANIFEST_FILE_BYTES) return err({ reason: 'manifest_too_large' })
  const checked = yield* unpackEntry(found, () => {})
  if (!checked.ok) return checked
  const manifest = readManifest(readEntryContent(found))
  if (!manifest.ok) return err({ reason: manifest.error })
  if (appId !== undefined && manifest.value.id !== appId) return err({ reason: 'app_id_mismatch' })
  for (const each of packed.value) {
    const unpacked = yield* unpackEntry(each, () => {})
    if (!unpacked.ok) return unpacked
  }
  return ok({ manifest: manifest.value, files: files.map(bundleFile) })
}

function* readEntries(zip: Uint8Array): Sliced<Result<readonly PackedEntry[], BundleProblem>> {
  const directory = yield* readZipDirectory(zip)
  if (!directory.ok) return directory
  const clash = yield* checkNamesTogether(directory.value.entries.map(({ name }) => name))
  return clash === undefined ? yield* readZipLayout(zip, directory.value) : err(clash)
}

function bundleFile(packed: PackedEntry): BundleFile {
  const { name, unpackedBytes } = packed.entry
  return { name, size: unpackedBytes, read: () => readEntryContent(packed) }
}
