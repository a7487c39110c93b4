/**
 * What a node hands to another that is to begin at an epoch: see `foundation-types.ts`.
 *
 * It is found by look-ups: where lanes end below the epoch, what decides about membership, and what is cited by those that
 * had not seen the epoch. What came after it cites nothing below, so its cost does not follow the history.
 *
 * @module
 */
import {
  assert,
  causesOf,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  isSigned,
  toIntentionId,
} from '@lattice/model'
import { closingRun } from './closing-run.ts'
import type { Core } from './core.ts'
import { downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { encodeFoundationItem } from './foundation-codec.ts'
import type { Foundation, FoundationItem, FoundationPlace } from './foundation-types.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { requiredOf } from './settlement.ts'

type FoundationLog = Core['log']

/** One item that can be read when it is asked for. */
type Readable = () => readonly FoundationItem[]

/** The foundation at an epoch that is here and valid. */
export function createFoundation(log: FoundationLog, epoch: BookEpoch): Foundation {
  const work = new FoundationWork(log, epoch)
  const items = work.items()
  return {
    base: epoch.record.id,
    items: items.length,
    read: (after, maxBytes) => {
      const page: FoundationItem[] = []
      let bytes = 0
      for (let at = after; at < items.length && (page.length === 0 || bytes < maxBytes); at += 1) {
        const item = items[at]?.()
        assert(item !== undefined, 'every item can be read')
        bytes += encodeFoundationItem(item).length
        page.push(item)
      }
      return page
    },
  }
}
