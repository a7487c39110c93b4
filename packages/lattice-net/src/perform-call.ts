/**
 * Carries out what sessions ask for.
 *
 * @module
 */
import { assert, type IngestOutcome } from '@lattice/model'
import { SNAPSHOT_PAGE_BYTES } from './limits.ts'
import type { JoinHandler, SessionAnswer, SessionCall } from './session-call.ts'

export interface PerformDeps {
  readonly joinHandler?: JoinHandler
  /** Told of every ingest, before the session is. */
  readonly onIngested: (call: Extract<SessionCall, { kind: 'ingest' }>, outcomes: readonly IngestOutcome[]) => void
  readonly takeRun?: (call: Extract<SessionCall, { kind: 'take_run' }>) => Promise<readonly IngestOutcome[]>
  readonly drain?: () => Promise<void>
  readonly nextTurn?: () => Promise<void>
}

/** Carries out one call. Rejects when the store or the handler does. */
export async function performCall(call: SessionCall, deps: PerformDeps): Promise<SessionAnswer> {
  switch (call.kind) {
    case 'ingest': {
      const outcomes = await call.store.ingest(call.intentions)
      assert(outcomes.length === call.intentions.length, 'an ingest answers for each intention')
      deps.onIngested(call, outcomes)
      return { kind: 'ingested', outcomes }
    }
    case 'take_run':
      assert(deps.takeRun !== undefined, 'only gossip takes runs')
      return { kind: 'ingested', outcomes: await deps.takeRun(call) }
    case 'read':
      return { kind: 'loaded', read: call.store.read(call.ids, call.maxBytes) }
    case 'read_spans':
      return { kind: 'spans', read: call.store.readSpans(call.spans, call.maxBytes) }
    case 'read_chain':
      return { kind: 'chain', intentions: call.store.readChain(call.target, call.since, call.limit) }
    case 'read_page':
      return { kind: 'page', page: call.store.witnessPage(call.fromSeq, call.limit) }
    case 'read_foundation':
      return { kind: 'foundation', read: call.store.readFoundation(call.base, call.after, SNAPSHOT_PAGE_BYTES) }
    case 'read_snapshot':
      return { kind: 'snapshot', read: call.store.readSnapshot(call.epoch, call.after, SNAPSHOT_PAGE_BYTES) }
    case 'read_past':
      return { kind: 'past', intentions: call.reader.next(call.maxBytes) }
    case 'add_proof':
      return { kind: 'proof_added', refused: await call.proof.add(call.items) }
    case 'end_proof':
      return { kind: 'proof_ended', result: await call.proof.end() }
    case 'redeem':
      assert(deps.joinHandler !== undefined, 'only the join protocol redeems')
      return { kind: 'redeemed', result: await deps.joinHandler.redeem(call.attempt) }
    case 'drain':
      assert(deps.drain !== undefined, 'only a bootstrap drains')
      await deps.drain()
      return { kind: 'drained' }
    case 'next_turn':
      assert(deps.nextTurn !== undefined, 'only long work waits for turns')
      await deps.nextTurn()
      return { kind: 'turned' }
  }
}
