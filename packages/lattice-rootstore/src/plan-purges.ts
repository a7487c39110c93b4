/**
 * The writes that take out of the table what only says that a key, an app or a bundle was removed.
 *
 * @module
 */
import { planPurges, purgesOf } from '@lattice/kvstore'
import { findPurges } from '@lattice/kvtable'
import type { IntentionId, ReadTable } from '@lattice/model'
import { encodeOperation } from './payload.ts'
import { readPart } from './table-layout.ts'

/** As the machine's `purge.plan`. */
export function* planRootPurges(
  read: ReadTable,
  isSeen: (id: IntentionId) => boolean,
): Generator<Uint8Array | undefined, void, undefined> {
  yield* planPurges(readPart(read, 'kv'), isSeen)
  for (const part of ['apps', 'bundles'] as const) {
    for (const found of findPurges(readPart(read, part), isSeen)) {
      yield found && encodeOperation({ case: 'purgeNames', value: { [part]: purgesOf(found) } })
    }
  }
}
