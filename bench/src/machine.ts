/**
 * What the figures were taken on.
 *
 * @module
 */
import { statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'
import { crypto } from './world.ts'

export interface Machine {
  readonly summary: string
  readonly cpu: string
  readonly cores: number
  readonly memoryMb: number
  readonly node: string
  readonly platform: string
  readonly cryptography: string
  /** Files are in memory: an fsync costs nothing, and durable writes look better than they are. */
  readonly inMemoryFiles: boolean
  /** Programs that wanted a core when the run began: others slow this one down. */
  readonly loadBefore: number
}

/** Linux' number for tmpfs. */
const TMPFS = 0x01021994

export function describeMachine(folder: string): Machine {
  const cpu = cpus()[0]?.model ?? 'unknown'
  const cores = availableParallelism()
  const inMemoryFiles = platform() === 'linux' && statfsSync(folder).type === TMPFS
  const loadBefore = loadavg()[0] ?? 0
  const summary = [
    `${cpu}, ${cores} cores, Node ${process.versions.node}, ${crypto.backend} cryptography`,
    `load ${loadBefore.toFixed(1)} before the run`,
    ...(inMemoryFiles ? ['files in memory: an fsync costs nothing here, set TMPDIR to a folder on disk'] : []),
  ].join('; ')
  return {
    summary,
    cpu,
    cores,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    node: process.versions.node,
    platform: `${platform()} ${arch()}`,
    cryptography: crypto.backend,
    inMemoryFiles,
    loadBefore,
  }
}
