/**
 * A store as other nodes see it: what it holds in brief, and its intentions by id, by chain and by page.
 *
 * The shapes are those of the network's port; the kernel knows neither the network nor who asks.
 *
 * @module
 */
import {
  compareBytes,
  equalBytes,
  type Hash,
  type IntentionId,
  isGenesis,
  type SignedIntention,
  toIntentionId,
  ZERO_HASH,
} from '@lattice/model'
import type { AskedBeside } from './asked-beside.ts'
import { type ChainReads, createChainReads } from './chain-reads.ts'
import { closingRun } from './closing-run.ts'
import type { Core } from './core.ts'
import type { Kernel } from './kernel-types.ts'
import { contentOf } from './log-entry.ts'
import { readIntentions } from './read-intentions.ts'
import { createOver } from './over.ts'
import { hashBefore, PAGE_RECORDS_MAX } from './reading.ts'
import type { ReplicatedSet } from './replicated-set.ts'
import { createRemovalFoundation } from './removal-foundation.ts'
import { createRevokedPast, type RevokedPast } from './revoked-past.ts'
import { createSeenByAll } from './seen-by-all.ts'

/** Bytes of a chain after which the walk ends, whatever was asked for: it is held in memory as a whole. */
const CHAIN_BYTES_MAX: number = 4 * 1024 * 1024

type Replication = ChainReads &
  RevokedPast &
  Pick<
    Kernel,
    | 'over'
    | 'foundation'
    | 'removal'
    | 'removalFoundation'
    | 'digest'
    | 'isEpochSettled'
    | 'seenByAll'
    | 'rangeIndex'
    | 'missing'
    | 'tipOf'
    | 'read'
    | 'readChain'
    | 'witnessPage'
  >

/** A store as others see it. */
export function createReplication(core: Core, asked: AskedBeside): Replication {
  const { log } = core
  const { crypto } = core.options
  const { counted, excluded } = log
  let tips: { readonly headSeq: number; readonly version: number; readonly digest: Hash } | undefined

  function tipsDigest(headSeq: number): Hash {
    const version = excluded.version()
    if (tips?.headSeq !== headSeq || tips.version !== version) {
      const ids = [...counted.all()].flatMap((author) => counted.tipsOf(author).map(({ id }) => id))
      ids.sort(compareBytes)
      tips = { headSeq, version, digest: crypto.blake3(...ids) }
    }
    return tips.digest
  }

  const goneCount = (): number => log.base.row()?.gone_count ?? 0

  const own: ReplicatedSet = {
    rangeIndex: () => log.range,
    digest: () => {
      const { headSeq, fingerprint } = log.meta()
      const epochs = { epochHeads: log.book.heads(), settledSeq: core.settlement.settledSeq() }
      const cut = excluded.count()
      return {
        witnessCount: headSeq - cut - goneCount(),
        fingerprint: cut === 0 ? fingerprint : log.range.accumulate(0, log.range.size()).sum,
        ...epochs,
        tipsDigest: tipsDigest(headSeq),
      }
    },
  }

  const over = createOver({ ...core, own, asked })
  const past = createRevokedPast(log, core.options.signer.publicKey)

  return {
    ...own,
    ...over,
    ...past,
    ...createRemovalFoundation(core, { ...over, ...past }),
    removal: () => {
      const found = log.removals.now()
      return found && { epoch: found.epoch, author: found.author }
    },
    isEpochSettled: () =>
      log.book.heads().every((id) => {
        const epoch = log.book.epochOf(id)
        return epoch !== undefined && core.settlement.isSettled(epoch)
      }),
    seenByAll: () => createSeenByAll(core),
    missing: (ids) => ids.filter((id) => log.find(id) === undefined),
    tipOf: (author) => {
      const seq = Math.max(0, ...(counted.find(author)?.tips ?? []))
      return seq === 0 ? undefined : log.tipAt(seq).parsed.id
    },
    read: (ids, maxBytes) => readIntentions(log, ids, maxBytes),
    readChain: (target, since, limit) => readChain(core, { target, since, limit }),
    witnessPage: (fromSeq, limit) => readWitnessPage(core, fromSeq, limit),
    ...createChainReads(log),
  }
}

function readChain(
  core: Core,
  { target, since, limit }: { target: IntentionId; since: IntentionId | undefined; limit: number },
): readonly SignedIntention[] {
  const { log } = core
  const found = log.find(target)
  if (found === undefined || log.excluded.isExcluded(found) || log.base.isGone(found)) return []
  const last = log.entryAt(found.seq)
  const newestFirst: SignedIntention[] = []
  let bytes = 0
  for (let entry = last; newestFirst.length < Math.min(limit, PAGE_RECORDS_MAX) && bytes < CHAIN_BYTES_MAX;) {
    if (since !== undefined && equalBytes(entry.parsed.id, since)) break
    newestFirst.push(entry.parsed)
    bytes += entry.parsed.bytes.length + entry.parsed.signature.length
    if (isGenesis(entry.parsed.intention)) break
    const prev = log.find(toIntentionId(entry.parsed.intention.storePrev))
    if (prev === undefined || prev.author !== entry.meta.author || log.base.isGone(prev)) break
    entry = log.entryAt(prev.seq)
  }
  const closers = newestFirst.length === 0 ? [] : closingRun(core.log, last)
  return [...newestFirst.reverse(), ...closers.map(({ parsed }) => parsed)]
}

function readWitnessPage({ log }: Core, fromSeq: number, limit: number): ReturnType<Kernel['witnessPage']> {
  const { headSeq, storeId } = log.meta()
  if (fromSeq < log.base.fromSeq()) throw log.base.gone()
  let entries = log.reader.from(fromSeq, Math.max(1, Math.min(limit, PAGE_RECORDS_MAX)))
  const lastSigned = entries.findLastIndex(({ witnessSignature }) => witnessSignature.length > 0)
  if (lastSigned >= 0) entries = entries.slice(0, lastSigned + 1)
  else {
    const end = log.reader.signedFrom(fromSeq)
    entries = end === undefined ? [] : log.reader.from(fromSeq, end - fromSeq + 1)
  }
  let prevHash = entries.length > 0 ? hashBefore(log, fromSeq) : ZERO_HASH
  const records = entries.map((entry) => {
    const content = contentOf(storeId, prevHash, entry)
    prevHash = entry.chainHash
    return { content, signature: entry.witnessSignature }
  })
  return { records, headSeq }
}
