/** Disks that really get full, and files that may not grow. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { removeDirectories, temporaryDirectory } from '../harness.ts'
import type { FullDiskReport } from './full-disk-process.ts'

afterEach(removeDirectories)

const SCRIPT = join(import.meta.dirname, 'full-disk-process.ts')
const NODE = `'${process.execPath}' --conditions=source '${SCRIPT}'`
const BALLAST_KIB = 300

/** Runs a shell line in a mount namespace of its own; there `$DISK` is a file system of so many KiB. */
function onSmallDisk(sizeKib: number, line: string): SpawnSyncReturns<string> {
  const mount = `mount -t tmpfs -o size=${sizeKib}k,mode=700 tmpfs "$DISK"`
  const isRoot = process.getuid?.() === 0
  const args = [...(isRoot ? ['-m'] : ['-rm']), '--propagation', 'private', 'sh', '-c', `${mount} && ${line}`]
  return spawnSync('unshare', args, { encoding: 'utf8', env: { ...process.env, DISK: temporaryDirectory() } })
}

/** Whether this system lets this user mount. */
const canMount = onSmallDisk(64, 'true').status === 0

function reportOf({ stdout, stderr, status }: SpawnSyncReturns<string>): FullDiskReport {
  if (status !== 0) throw new Error(`the process ended with ${status}: ${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

describe('a disk that gets full', () => {
  test.each([900, 1200, 1500])(
    'of %d KiB refuses writes by name, loses nothing, and takes them again once there is room',
    { timeout: 60_000 },
    (sizeKib) => {
      if (!canMount) {
        // Said, not skipped: what a full disk reports is injected in failing-disk.test.ts on every system.
        process.stderr.write('no mount namespaces here: the full disk is only injected\n')
        return
      }
      const ballast = [1, 2].map((n) => `head -c ${BALLAST_KIB * 1024} /dev/zero > "$DISK/ballast-${n}"`).join(' && ')
      const report = reportOf(onSmallDisk(sizeKib, `${ballast} && ${NODE} "$DISK"`))
      expect(report).toMatchObject({ lost: 0, forks: 0, stateIsLog: true, wentOn: [true, true, true, true] })
      expect(report.acknowledged).toBeGreaterThan(5)
      for (const code of report.refused) expect(['DISK_FULL', 'STORAGE_FAILED', 'PROJECTION_STALLED']).toContain(code)
    },
  )
})

test('files that may not grow any more refuse writes by name and lose nothing', { timeout: 60_000 }, () => {
  const directory = temporaryDirectory()
  const limited = spawnSync('sh', ['-c', `ulimit -f 800 && ${NODE} '${directory}' no`], { encoding: 'utf8' })
  const report = reportOf(limited)
  expect(report).toMatchObject({ lost: 0, forks: 0, stateIsLog: true, wentOn: [true] })
  expect(report.acknowledged).toBeGreaterThan(5)
  for (const code of report.refused) expect(['DISK_FULL', 'STORAGE_FAILED', 'PROJECTION_STALLED']).toContain(code)
})
