/**
 * Why intentions wait, grouped by author and by what they wait for.
 *
 * @module
 */
import { MAX_DRIFT_MS, toHex } from '@lattice/model'
import { shortId } from '../errors.ts'
import type { Reason } from './finding.ts'
import type { FloatingGroup, FloatingSnapshot } from './store-snapshot.ts'
import { durationText, peerText, plural } from './words.ts'

export function floatingReasons({ groups, listed, total, evicted, nowMs }: FloatingSnapshot): readonly Reason[] {
  const reasons = groups.map((group) => groupReason(group, nowMs))
  const shown = groups.reduce((sum, { count }) => sum + count, 0)
  if (total > shown) {
    const looked = listed < total ? `, of which ${listed} were looked at` : ''
    const what = `${plural(total, 'intention')} wait in all${looked}; the largest groups are shown`
    reasons.push({ severity: 'info', code: 'floating_unlisted', what, detail: { total, listed, shown } })
  }
  if (evicted > 0) {
    const what = `${plural(evicted, 'intention')} that waited were dropped since the store was opened, for want of room`
    const remedy = 'they come again with the next exchange, once what is before them is here'
    reasons.push({ severity: 'warning', code: 'floating_evicted', what, remedy, detail: { count: evicted } })
  }
  return reasons
}

function groupReason(group: FloatingGroup, nowMs: number): Reason {
  const { count, author, firstMs } = group
  const subject = `${plural(count, 'intention')} of ${peerText(author)}`
  const verb = count === 1 ? 'waits' : 'wait'
  const about = { peer: author, detail: { count, firstMs } }
  switch (group.reason) {
    case 'unsigned':
      return {
        severity: 'info',
        code: 'floating_unsigned',
        what: `${subject} ${verb} for the signature that closes ${count === 1 ? 'its' : 'their'} run`,
        remedy: `the next exchange with a peer that has it brings it`,
        ...about,
      }
    case 'missing_causes':
      return causeReason(group, { subject, verb })
    case 'revoked':
      return {
        severity: 'warning',
        code: 'floating_revoked',
        what: `${subject} ${verb} because it was written after this author was removed, or had its role taken; the first was written ${durationText(nowMs - firstMs)} ago`,
        remedy: 'nothing is lost: invite the author again, or have somebody else write it anew',
        ...about,
      }
    case 'future':
      return futureReason(group, { subject, nowMs })
    case 'not_admitted':
      return {
        severity: 'warning',
        code: 'floating_not_admitted',
        what: `${subject} ${verb} because nothing here admits this author; the first was written ${durationText(nowMs - firstMs)} ago`,
        remedy: 'connect a peer that has the admission, such as whoever invited it',
        ...about,
      }
  }
}

function causeReason(
  { cause, author, count, firstMs }: FloatingGroup,
  { subject, verb }: { readonly subject: string; readonly verb: string },
): Reason {
  if (cause === undefined) {
    const what = `${subject} ${verb} for others that are here and wait themselves`
    return { severity: 'info', code: 'waiting_for_cause', what, peer: author, detail: { count, firstMs } }
  }
  const by = cause.author
  const whose = by === undefined ? '' : ` by ${peerText(by)}`
  return {
    severity: 'warning',
    code: 'waiting_for_cause',
    what: `${subject} ${verb} for ${shortId(cause.id)}${whose}, which nobody connected has sent`,
    remedy: by === undefined ? 'connect a peer that has it' : `connect ${peerText(by)}, or any peer that has it`,
    peer: author,
    detail: {
      count,
      firstMs,
      cause: toHex(cause.id),
      ...(by === undefined ? {} : { causeAuthor: toHex(by.publicKey) }),
    },
  }
}

function futureReason(
  { author, count, firstMs, lastMs }: FloatingGroup,
  { subject, nowMs }: { readonly subject: string; readonly nowMs: number },
): Reason {
  const aheadMs = lastMs - nowMs
  const waitMs = Math.max(0, firstMs - MAX_DRIFT_MS - nowMs)
  return {
    severity: 'warning',
    code: 'floating_future',
    what: `${subject} ${count === 1 ? 'is' : 'are'} up to ${durationText(aheadMs)} ahead of the clock here, and taken in as time reaches ${count === 1 ? 'it' : 'them'}, the first in ${durationText(waitMs)}`,
    remedy: `set the clock of ${peerText(author)} right`,
    peer: author,
    detail: { count, firstMs, lastMs, aheadMs },
  }
}
