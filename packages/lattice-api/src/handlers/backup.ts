/**
 * Copying a node while it runs.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { AbortSignal } from '@lattice/model'
import type { Node } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { reportProgress } from './report-progress.ts'

export function backup(
  node: Node,
  { directory, withoutIdentity }: daemon.BackupRequest,
  signal: AbortSignal,
): AsyncGenerator<daemon.BackupProgress> {
  return reportProgress<daemon.BackupProgress>(signal, async (report) => {
    const result = await node.backup({
      directory,
      withoutIdentity,
      signal,
      onProgress: ({ part, done, total }) => {
        const value = { part, done: BigInt(done), total: BigInt(total) }
        report(create(daemon.BackupProgressSchema, { progress: { case: 'step', value } }))
      },
    })
    const value = { ...result, bytes: BigInt(result.bytes), leftOut: [...result.leftOut] }
    report(create(daemon.BackupProgressSchema, { progress: { case: 'result', value } }))
  })
}
