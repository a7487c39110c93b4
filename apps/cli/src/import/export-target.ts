/**
 * Where an export goes: stdout, or a file that is there whole or not at all.
 *
 * Lines go to a new file beside it, which gets the name once all of them are on the disk. It replaces nothing that was
 * there, unless told to; an export that fails leaves nothing, and one that is killed leaves the other file.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { link, lstat, open, realpath, rename, rm } from 'node:fs/promises'
import { CommandFailed, UsageError } from '../errors.ts'

export interface ExportTarget {
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** Puts the file in its place. */
  readonly finish: () => Promise<void>
  /** Removes what is not finished. Idempotent. */
  readonly discard: () => Promise<void>
}

/** Only its owner reads what a store holds. */
const FILE_MODE = 0o600

/** Rejects with {@link UsageError} where the file is there and not to be replaced, or cannot be made. */
export async function openExportFile(file: string, { force }: { readonly force: boolean }): Promise<ExportTarget> {
  const target = await placeOf(file, force)
  const pending = `${target}.${randomBytes(4).toString('hex')}.part`
  const handle = await open(pending, 'wx', FILE_MODE).catch((error: unknown) => {
    throw new UsageError(whyUnwritable(file, error))
  })
  let isOpen = true
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close()
    isOpen = false
  }
  return {
    // Not `write`, which may write less than all.
    write: (bytes) => handle.writeFile(bytes).catch((error: unknown) => fail(file, error)),
    finish: async () => {
      await handle.sync().catch((error: unknown) => fail(file, error))
      await close()
      await (force ? rename(pending, target) : claim(pending, file, target))
    },
    discard: async () => {
      await close()
      await rm(pending, { force: true })
    },
  }
}

/** The name that the file gets: of what a link leads to, not of the link. */
async function placeOf(file: string, force: boolean): Promise<string> {
  const found = await lstat(file).catch(() => undefined)
  if (found === undefined) return file
  const target = await realpath(file).catch(() => file)
  const { isFile, isDirectory } = await kindOf(target)
  if (isDirectory) throw new UsageError(`${file} is a directory: name a file in it`)
  if (!isFile) throw new UsageError(`${file} is no plain file: export to - and direct stdout there`)
  if (!force) throw exists(file)
  return target
}

async function kindOf(path: string): Promise<{ readonly isFile: boolean; readonly isDirectory: boolean }> {
  const found = await lstat(path)
  return { isFile: found.isFile(), isDirectory: found.isDirectory() }
}

/** Gives the file its name if nobody took it meanwhile. */
async function claim(pending: string, file: string, target: string): Promise<void> {
  try {
    await link(pending, target)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw exists(file)
    // File systems without hard links: nobody took the name a moment ago.
    if ((await lstat(target).catch(() => undefined)) !== undefined) throw exists(file)
    await rename(pending, target)
    return
  }
  await rm(pending, { force: true })
}

function fail(file: string, error: unknown): never {
  const isFull = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'
  if (isFull) throw new CommandFailed('DISK_FULL', `there is no room for ${file}: make some, and export again`)
  throw new CommandFailed('STORAGE_FAILED', whyUnwritable(file, error))
}

function exists(file: string): UsageError {
  return new UsageError(`${file} is there already`, { hint: 'choose another name, or replace it with --force' })
}

function whyUnwritable(file: string, error: unknown): string {
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no directory for ${file}: make it first`
  if (code === 'EACCES' || code === 'EPERM') return `${file} may not be written by this user`
  return `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
