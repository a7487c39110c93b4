/**
 * Which names a file of a bundle may have: such that every system unpacks it to the same place, within its folder.
 *
 * @module
 */
import { err, ok, type Result, utf8Decode } from '@lattice/model'
import { MAX_ENTRY_DEPTH, MAX_ENTRY_NAME_BYTES } from '../limits.ts'
import { ENTRY_COST, type Sliced } from '../sliced.ts'
import { type BundleProblem, entryProblem } from './bundle-problem.ts'

/** A name as text; a folder's ends with a slash. */
export function readEntryName(bytes: Uint8Array): Result<string, BundleProblem> {
  if (bytes.length === 0) return err({ reason: 'name_empty' })
  if (bytes.length > MAX_ENTRY_NAME_BYTES) return err({ reason: 'name_too_long' })
  const name = utf8Decode(bytes)
  // A byte order mark is dropped by many decoders, so two names could become one.
  if (name === undefined || name.startsWith(BYTE_ORDER_MARK)) return err({ reason: 'name_not_utf8' })
  if (hasControl(name)) return err(entryProblem('name_control', name))
  if (name.includes('\\')) return err(entryProblem('name_backslash', name))
  if (name.startsWith('/') || DRIVE.test(name)) return err(entryProblem('name_absolute', name))
  const segments = segmentsOf(name)
  if (segments.some((segment) => segment === '.' || segment === '..')) return err(entryProblem('name_escapes', name))
  if (segments.length > MAX_ENTRY_DEPTH) return err(entryProblem('name_too_deep', name))
  if (segments.includes('')) return err(entryProblem('name_segment_empty', name))
  return ok(name)
}

/** True for the name of a folder. */
export function isFolder(name: string): boolean {
  return name.endsWith('/')
}

/** The first problem that names have with each other. */
export function* checkNamesTogether(names: readonly string[]): Sliced<BundleProblem | undefined> {
  const files = new Set<string>()
  const folders = new Set<string>()
  const seen = new Set<string>()
  for (const name of names) {
    const path = fold(segmentsOf(name).join('/'))
    const isTwice = seen.has(path)
    // A folder that was only implied by a file in it may be named, too.
    if (isTwice) return entryProblem(files.has(path) === isFolder(name) ? 'name_conflict' : 'name_duplicate', name)
    seen.add(path)
    if (!isFolder(name)) files.add(path)
    for (const folder of foldersOf(path)) folders.add(folder)
    // Each of its folders is a name, too.
    yield segmentsOf(name).length * ENTRY_COST
  }
  for (const name of names) {
    if (!isFolder(name) && folders.has(fold(name))) return entryProblem('name_conflict', name)
    yield ENTRY_COST
  }
  return undefined
}

const BYTE_ORDER_MARK = '\ufeff'
const DRIVE = /^[A-Za-z]:/

function segmentsOf(name: string): readonly string[] {
  return (isFolder(name) ? name.slice(0, -1) : name).split('/')
}

function* foldersOf(path: string): Generator<string, void, undefined> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end)
}

/** Two names that some file system takes for one fold to the same. */
function fold(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
}

function hasControl(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}
