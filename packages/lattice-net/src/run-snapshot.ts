/**
 * Fetches a pruned store from the peers that hold it, into what makes it anew.
 *
 * The coordinator (`snapshot-coordinator.ts`) says what is due, the shell of any fetch (`fetch-shell.ts`) runs the sessions,
 * and what was fetched goes to the writer here, one thing at a time.
 *
 * @module
 */
import type { AbortSignal, Crypto, IntentionId, NumberedEpoch, PublicKey, StoreId } from '@lattice/model'
import type { PrunedStoreWriter } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { BootstrapFailed, PeerRefused, PeerViolation } from './errors.ts'
import { createFetchShell, type FetchDeps, type FetchShell } from './fetch-shell.ts'
import type { NetworkLimits } from './limits.ts'
import type { PeerHint } from './session-call.ts'
import { createSnapshotClient, type SnapshotAnswer, type SnapshotRequest } from './snapshot-client.ts'
import { createSnapshotCoordinator, type SnapshotCoordinator, type WriterResult } from './snapshot-coordinator.ts'
import type { SnapshotEffect, SnapshotState, SnapshotStep, WriterWork } from './snapshot-effect.ts'

export interface SnapshotFetch {
  readonly storeId: StoreId
  /** A few at a time are fetched from. The caller vouches for them. */
  readonly peers: readonly PeerHint[]
  readonly writer: PrunedStoreWriter
  /** The base that this node has: only one that goes before it is worth fetching. */
  readonly above?: NumberedEpoch
  /** And that one, from somebody else. */
  readonly orSame?: boolean
  /** Also from who has cut nothing, at whichever epoch that has signed state. */
  readonly orWhole?: boolean
  readonly onProgress?: (progress: SnapshotState) => void
  readonly signal: AbortSignal
}

export type SnapshotOutcome =
  /** The writer is finished: what is above the base is still to be had. */
  | { readonly kind: 'fetched'; readonly base: IntentionId; readonly bytes: number }
  /** All that answered have the whole history, or what this node has: there is nothing to fetch in this way. */
  | { readonly kind: 'unpruned' }

export interface RunSnapshotDeps extends FetchDeps {
  readonly crypto: Crypto
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapOverdueMs'>
}

/**
 * Resolves once the writer has the whole store at the base. Rejects with {@link BootstrapFailed} when every peer failed, its
 * cause being the last failure; with what the writer rejects with; or with `signal.reason`. What the writer took in and did
 * not refuse stays, and the next fetch goes on there.
 */
export async function runSnapshot(fetch: SnapshotFetch, deps: RunSnapshotDeps): Promise<SnapshotOutcome> {
  fetch.signal.throwIfAborted()
  if (fetch.peers.length === 0) throw new BootstrapFailed('no peer to fetch it from is known')
  return new SnapshotRun(fetch, deps).toEnd()
}

type Shell = FetchShell<SnapshotRequest, SnapshotStep, SnapshotOutcome>

class SnapshotRun {
  readonly #fetch: SnapshotFetch
  readonly #coordinator: SnapshotCoordinator
  readonly #shell: Shell

  constructor(fetch: SnapshotFetch, deps: RunSnapshotDeps) {
    const { storeId, peers, writer, above, orSame = false, orWhole = false, signal } = fetch
    this.#fetch = fetch
    this.#coordinator = createSnapshotCoordinator({
      ...deps,
      peers: peers.map(({ peer }) => peer),
      above,
      orSame,
      orWhole,
      position: writer.position(),
    })
    this.#shell = createFetchShell<SnapshotRequest, SnapshotAnswer, SnapshotStep, SnapshotOutcome>(
      {
        peers,
        signal,
        protocol: net.Protocol.SNAPSHOT,
        coordinator: this.#coordinator,
        createClient: (requests, onAnswer) => createSnapshotClient({ storeId, requests, onAnswer }),
        carry: (step) => this.#carry(step),
        ended: (peer, error) => this.#ended(peer, error),
      },
      deps,
    )
  }

  toEnd(): Promise<SnapshotOutcome> {
    return this.#shell.toEnd()
  }

  #carry(step: SnapshotStep): void {
    const shell = this.#shell
    switch (step.kind) {
      case 'write':
        return shell.spawn(() => this.#write(step.work))
      case 'done':
        return shell.done({ kind: 'fetched', base: step.base, bytes: this.#coordinator.state().bytes })
      case 'unpruned':
        return shell.done({ kind: 'unpruned' })
      case 'failed':
        return shell.failed(shell.failure(shell.lastFailure(), step.why))
    }
  }

  async #write(work: WriterWork): Promise<void> {
    const result = await performWork(this.#fetch.writer, work)
    this.#shell.carry(this.#coordinator.worked(result))
    this.#fetch.onProgress?.(this.#coordinator.state())
  }
  #ended(peer: PublicKey, error: unknown): readonly SnapshotEffect[] | undefined {
    if (error instanceof PeerRefused && error.code === 'SNAPSHOT_GONE') return this.#coordinator.moved(peer)
    const isBroken = error instanceof BootstrapFailed || error instanceof PeerViolation
    return isBroken ? this.#coordinator.broke(peer) : undefined
  }
}

async function performWork(writer: PrunedStoreWriter, work: WriterWork): Promise<WriterResult> {
  switch (work.kind) {
    case 'begin':
      await writer.begin(work.base, work.peer)
      return undefined
    case 'items':
      return writer.addItems(work.items)
    case 'end_items':
      return writer.endItems()
    case 'rows':
      return writer.addRows(work.rows)
    case 'drop':
      await writer.drop()
      return undefined
    case 'drop_rows':
      await writer.dropRows()
      return undefined
    case 'finish':
      return writer.finish()
  }
}
