/**
 * Tells the others what this node has seen, some time after it has seen it.
 *
 * An ack cites what nothing cites yet: all that is witnessed is in its past then. One is made only where something is to
 * be acknowledged that is no ack itself, so nodes that have all acknowledged what was written fall silent, whatever
 * crosses on the way. What there is to acknowledge follows from the log, so nothing is remembered over a restart.
 *
 * A busy store is acknowledged every few seconds, not never.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  type Cancel,
  equalBytes,
  type IntentionId,
  type KnownOp,
  MAX_CAUSAL_DEPS,
  MAX_KERNEL_CAUSAL_DEPS,
  type ParsedIntention,
  type PublicKey,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { Core } from './core.ts'
import { KernelClosed } from './errors.ts'
import { createFollowUp, RETRY_DELAY_MS } from './follow-up.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import { isQuiet } from './quiet-spans.ts'
import { JOINED_TIPS_MAX } from './resolve-causes.ts'

export interface Acknowledger {
  /** From here on, what arrives is acknowledged; what arrived before, too. */
  readonly start: () => void
  /** See `AutomaticWrites`. */
  readonly reconsider: () => void
  /** Acknowledges now; undefined when there is nothing to acknowledge. */
  readonly emit: () => Promise<IntentionId | undefined>
  /** Emits no more. Resolves when what it was doing is done. */
  readonly close: () => Promise<void>
}

export interface AcknowledgerDeps {
  readonly core: Core
  readonly submit: (op: SubmitOp, options: SubmitOptions) => Promise<IntentionId>
}

/** Long enough that what is written together is acknowledged together, short enough for lag that is shown to a person. */
export const ACK_DELAY_MS = 5000
/** After a failure that was not expected. */
export const ACK_RETRY_MS: number = RETRY_DELAY_MS
/** What one ack cites beside what every write may have to: own tips to be joined, an admission. */
export const ACK_DEPS_MAX: number = MAX_KERNEL_CAUSAL_DEPS - JOINED_TIPS_MAX - MAX_CAUSAL_DEPS

const ACK: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }

/** Thrown inside the writer to leave without a write; never leaves this file. */
class NothingToAcknowledge extends Error {}

export function createAcknowledger({ core, submit }: AcknowledgerDeps): Acknowledger {
  const { log, observer, options } = core
  const { signer, ackDelayMs = ACK_DELAY_MS } = options
  const cancels: Cancel[] = []

  const isBehind = (): boolean => log.meta().headSeq > 0 && observer.lagOf(signer.publicKey).unseen > 0
  const deps = (): readonly IntentionId[] => {
    // Asked in the writer, where nothing comes between: another write may have cited all of it meanwhile.
    if (!isBehind()) throw new NothingToAcknowledge()
    return uncited(core)
  }

  async function emit(): Promise<IntentionId | undefined> {
    let last: IntentionId | undefined
    try {
      while (isBehind()) last = await submit(ACK, { deps })
    } catch (error) {
      if (!(error instanceof NothingToAcknowledge)) throw error
    }
    return last
  }

  const { arm, isClosed, close } = createFollowUp(options, {
    name: 'acknowledging',
    act: async () => {
      if (isBehind() && core.admits(signer.publicKey)) await emit()
    },
  })

  return {
    emit: async () => {
      if (isClosed()) throw new KernelClosed(options.storeId)
      return emit()
    },
    start: () => {
      cancels.push(
        core.witnessed.add(({ intentions }) => {
          if (intentions.some((parsed) => callsForAck(parsed, signer.publicKey))) arm(ackDelayMs)
        }),
        // This node may be admitted by it.
        core.projected.add(({ ops }) => {
          if (ops.some(({ kind }) => kind === 'system')) arm(ackDelayMs)
        }),
        core.events.add(({ kind }) => {
          if (kind === 'resumed' || kind === 'rebuilt') arm(ackDelayMs)
        }),
      )
      arm(ackDelayMs)
    },
    reconsider: () => arm(ackDelayMs),
    close: async () => {
      for (const cancel of cancels.splice(0)) cancel()
      await close()
    },
  }
}

function callsForAck({ intention, op }: ParsedIntention, self: PublicKey): boolean {
  return !isQuiet(op.kind) && !equalBytes(intention.author, self)
}

/** What others wrote and nothing cites yet, the oldest first, as much as one ack holds: all else is in its past. */
function uncited({ log, options }: Core): readonly IntentionId[] {
  const self = log.authors.find(options.signer.publicKey)?.number
  const tips = log.frontier.ids().flatMap((id) => {
    const meta = log.find(id)
    return meta === undefined || meta.author === self ? [] : [{ id, seq: meta.seq }]
  })
  return tips
    .sort((a, b) => a.seq - b.seq)
    .slice(0, ACK_DEPS_MAX)
    .map(({ id }) => id)
}
