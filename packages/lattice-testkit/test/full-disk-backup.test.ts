/** Backups to a disk that really gets full. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { FullDiskBackupReport } from './full-disk-backup-process.ts'

const SCRIPT = join(import.meta.dirname, 'full-disk-backup-process.ts')
const disk = mkdtempSync(join(tmpdir(), 'lattice-full-'))
afterAll(() => rmSync(disk, { recursive: true, force: true }))

/** Runs a shell line in a mount namespace of its own; there `$DISK` is a file system of so many KiB. */
function onSmallDisk(sizeKib: number, line: string): ReturnType<typeof spawnSync> {
  const mount = `mount -t tmpfs -o size=${sizeKib}k,mode=700 tmpfs "$DISK"`
  const args = [...(process.getuid?.() === 0 ? ['-m'] : ['-rm']), '--propagation', 'private', 'sh', '-c']
  return spawnSync('unshare', [...args, `${mount} && ${line}`], {
    encoding: 'utf8',
    env: { ...process.env, DISK: disk },
  })
}

test(
  'a disk that gets full ends a backup or a restore by name, leaves nothing of it there, and harms nothing else',
  {
    timeout: 120_000,
  },
  () => {
    if (onSmallDisk(64, 'true').status !== 0) {
      process.stderr.write('no mount namespaces here: backups to a full disk were not tried\n')
      return
    }
    const ballast = 'head -c 2800000 /dev/zero > "$DISK/ballast"'
    const run = onSmallDisk(3600, `${ballast} && '${process.execPath}' --conditions=source '${SCRIPT}' "$DISK"`)
    expect(run.status === 0 ? 'ok' : String(run.stderr)).toBe('ok')
    const report = JSON.parse(String(run.stdout).trim().split('\n').at(-1) ?? '') as FullDiskBackupReport
    expect(report).toMatchObject({ refused: 'DISK_FULL', left: [], write: 'resolved', restoreRefused: 'DISK_FULL' })
    expect(report.bytes).toBeGreaterThan(1_000_000)
    expect(report.leftByRestore).toEqual(['backup'])
  },
)
