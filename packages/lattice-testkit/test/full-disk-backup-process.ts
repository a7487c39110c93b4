/**
 * Backs a node up to a disk that is too small, and again once there is room: `full-disk-backup-process.ts DISK`.
 *
 * @module
 */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCrypto } from '@lattice/model/crypto'
import { restoreBackup } from '@lattice/node'
import { createSimMesh } from '../src/index.ts'
import { onDisk } from './real-disk.ts'
import { codeOf, kvOf } from './support.ts'

/** What the process prints. */
export interface FullDiskBackupReport {
  readonly refused: string
  /** What the refused backup left on the disk. */
  readonly left: readonly string[]
  readonly write: string
  readonly bytes: number
  readonly restoreRefused: string
  readonly leftByRestore: readonly string[]
}

const [disk = ''] = process.argv.slice(2)

async function report(): Promise<FullDiskBackupReport> {
  await using mesh = await createSimMesh({ seed: 'full disk', nodes: 1 })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
  const kv = kvOf(mesh, 0, id)
  const value = 'x'.repeat(4000)
  await mesh.complete(Promise.all(Array.from({ length: 250 }, (_, n) => kv.put(`k${n}`, value))))
  const codeOnDisk = async (work: Promise<unknown>): Promise<string> =>
    codeOf(mesh, Promise.resolve((await onDisk(mesh, Promise.allSettled([work])))[0]).then(rethrow))
  const others = readdirSync(disk).toSorted().join()
  const leftHere = (): readonly string[] => readdirSync(disk).filter((name) => !others.includes(name))
  const refused = await codeOnDisk(mesh.node(0).backup({ directory: join(disk, 'backup') }))
  const left = leftHere()
  const write = await codeOf(mesh, kv.put('after', 'v'))
  rmSync(join(disk, 'ballast'))
  const { bytes } = await onDisk(mesh, mesh.node(0).backup({ directory: join(disk, 'backup') }))
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), new Uint8Array(bavail * bsize - Math.floor(bytes / 2)))
  const deps = { crypto: await openCrypto(), clock: mesh.time.scheduler.clock, scheduler: mesh.time.scheduler }
  const restoring = restoreBackup({ directory: join(disk, 'backup'), dataDir: join(disk, 'node'), ...deps })
  const restoreRefused = await codeOnDisk(restoring)
  return { refused, left, write, bytes, restoreRefused, leftByRestore: leftHere() }
}

function rethrow(outcome: PromiseSettledResult<unknown>): void {
  if (outcome.status === 'rejected') throw outcome.reason
}

process.stdout.write(`${JSON.stringify(await report())}\n`)
