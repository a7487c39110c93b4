/**
 * Takes in a foundation that is to show that this node was removed: checked as by who joins, and then against what is here.
 *
 * It is made beside what is kept, in a directory that is nothing before it is whole and put in place; a crash leaves the one
 * or the other. What is begun is not gone on with after a restart: it is a few pages, and whoever told of the removal tells of
 * it again. One at a time.
 *
 * @module
 */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { assert, type PublicKey } from '@lattice/model'
import { syncDirectory, translateStorageError } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import type { Core } from './core.ts'
import { decodeFoundationItem } from './foundation-codec.ts'
import { removeFoundationStaging } from './foundation-staging.ts'
import type { FoundationItem, FoundationWriter } from './foundation-types.ts'
import { createFoundationWriter } from './foundation-writer.ts'
import type { ProofRefused, RemovalProof } from './removal-types.ts'
import { removeDirectory, shownPath } from './removals.ts'
import { findShownRemoval } from './shown-removal.ts'
import { openShownRecords } from './shown-records.ts'

/** Where it is made. */
const TAKING = 'removing'

export interface RemovalProofs {
  /**
   * For what a peer shows. Undefined while one is under way, where nothing could be shown, and once it is closed. Of an epoch
   * that is not final its author alone can show it, and so has to be who it says it is.
   */
  readonly open: (from?: PublicKey) => RemovalProof | undefined
  readonly close: () => void
}

/** `follow` has what changes with the limits of the log follow them. */
export function createRemovalProofs({ options, log, events }: Core, follow: () => Promise<void>): RemovalProofs {
  const { membership, directory } = options
  // What a crash left is not gone on with.
  removeDirectory(join(directory, TAKING))
  let under: RemovalProof | undefined
  let isClosed = false

  async function onShown(): Promise<void> {
    log.removals.load()
    await follow()
    const removal = log.removals.now()
    if (removal === undefined) return
    events.notify({ kind: 'removal_shown', epoch: removal.epoch, author: removal.author })
  }
  function onClosed(): void {
    under = undefined
  }
  return {
    open: (from) => {
      if (isClosed || under !== undefined || membership === undefined) return undefined
      under = new Proof({ options, log }, { membership, from }, { onShown, onClosed }).port()
      return under
    },
    close: () => {
      isClosed = true
      under?.close()
    },
  }
}

interface ProofListeners {
  readonly onShown: () => Promise<void>
  readonly onClosed: () => void
}

class Proof {
  readonly #core: Pick<Core, 'options' | 'log'>
  readonly #membership: MembershipPolicy
  readonly #from: PublicKey | undefined
  readonly #listeners: ProofListeners
  readonly #directory: string
  #writer: FoundationWriter | undefined
  #isOver = false

  constructor(
    core: Pick<Core, 'options' | 'log'>,
    { membership, from }: { readonly membership: MembershipPolicy; readonly from: PublicKey | undefined },
    listeners: ProofListeners,
  ) {
    this.#core = core
    this.#membership = membership
    this.#from = from
    this.#listeners = listeners
    this.#directory = join(core.options.directory, TAKING)
  }

  port(): RemovalProof {
    return {
      add: async (items) => this.#add(items),
      end: async () => this.#end(),
      close: () => this.#close(),
    }
  }

  /** Begun with the first items: a peer that sends none costs no file. */
  #open(): FoundationWriter {
    assert(!this.#isOver, 'a proof is added to while it is open')
    if (this.#writer !== undefined) return this.#writer
    const { storeId, crypto, signer, clock, storageHooks } = this.#core.options
    removeDirectory(this.#directory)
    this.#writer = createFoundationWriter({
      directory: this.#directory,
      storeId,
      crypto,
      signer,
      clock,
      membership: this.#membership,
      ...(this.#from && { shownBy: this.#from }),
      ...(storageHooks && { storageHooks }),
    })
    return this.#writer
  }

  #add(encoded: readonly Uint8Array[]): ProofRefused | undefined {
    const items: FoundationItem[] = []
    for (const bytes of encoded) {
      const item = decodeFoundationItem(bytes)
      if (!item.ok) return item.error
      items.push(item.value)
    }
    const added = this.#open().add(items)
    return added.ok ? undefined : { code: added.error.code }
  }

  async #end(): Promise<ProofRefused | boolean> {
    const writer = this.#open()
    const end = writer.finish()
    // It shows nothing to who has too little of the parent.
    if (!end.ok) return end.error.code === 'base_undecided' ? false : { code: end.error.code }
    writer.close()
    removeFoundationStaging(this.#directory)
    const fault = this.#fault()
    if (fault === 'voided') return false
    if (fault !== undefined) return { code: fault }
    this.#keep()
    await this.#listeners.onShown()
    return true
  }

  #fault(): string | undefined {
    const { options, log } = this.#core
    const { storeId, crypto, signer } = options
    const membership = this.#membership
    const shown = openShownRecords({ directory: this.#directory, storeId, crypto, signer, membership })
    try {
      const found = findShownRemoval({ self: signer.publicKey, policy: membership, own: log.book }, shown)
      return found.ok ? undefined : found.error
    } finally {
      shown.close()
    }
  }

  /** What was kept showed nothing that holds, or nobody would be asked. */
  #keep(): void {
    const { directory } = this.#core.options
    this.#core.log.removals.close()
    removeDirectory(shownPath(directory))
    try {
      renameSync(this.#directory, shownPath(directory))
      syncDirectory(directory)
    } catch (error) {
      throw translateStorageError(error, { path: directory, contents: 'other' })
    }
  }

  #close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#writer?.abort()
    removeDirectory(this.#directory)
    this.#listeners.onClosed()
  }
}
