/**
 * The snapshots that are whole: the one at the newest settled epoch, one at a later epoch, of a pruned log the one at its
 * base, and of one that is to be pruned the one at the base to come.
 *
 * The one at the base is what a node can begin with that is to have the same history as this one, and what state here can
 * be made of anew, whatever becomes of later epochs.
 *
 * @module
 */
import { assert, equalBytes, type IntentionId } from '@lattice/model'
import { SnapshotGone, SnapshotUnavailable } from './errors.ts'
import type { LogStore } from './log-store.ts'
import type { SnapshotFiles, SnapshotName, WholeSnapshot } from './snapshot-files.ts'
import type { ReadSnapshotOptions, SnapshotInfo, SnapshotPage } from './snapshot-types.ts'

export type Kept = Extract<SnapshotName, 'settled' | 'next' | 'cut' | 'base'>

export interface KeptSnapshots {
  /** Opens those that are not. */
  readonly open: () => void
  readonly get: (name: Kept) => WholeSnapshot | undefined
  /** The later one first. */
  readonly all: () => readonly WholeSnapshot[]
  readonly at: (epoch: IntentionId) => WholeSnapshot | undefined
  /**
   * Puts one in the place of another, and opens it there. It is closed, or is the later one. What was there is kept aside
   * where nodes differ about it.
   */
  readonly put: (name: Kept, from: SnapshotName) => WholeSnapshot
  /** Removes it, where it is there. */
  readonly drop: (name: Kept) => void
  readonly info: (name: Kept) => SnapshotInfo | undefined
  readonly read: (options: ReadSnapshotOptions) => SnapshotPage
  readonly close: () => void
}

export interface KeptSnapshotsDeps {
  readonly log: Pick<LogStore, 'book'>
  readonly files: SnapshotFiles
  readonly isDiverged: (epoch: IntentionId) => boolean
}

/** The later one first. */
export const KEPT_NAMES: readonly Kept[] = ['next', 'settled', 'cut', 'base']

export function createKeptSnapshots({ log, files, isDiverged }: KeptSnapshotsDeps): KeptSnapshots {
  const kept = new Map<Kept, WholeSnapshot>()
  let isOpened = false

  function open(name: Kept): void {
    const snapshot = kept.has(name) ? undefined : files.openWhole(name)
    if (snapshot === undefined) return
    if (log.book.epochOf(snapshot.epoch) !== undefined) {
      kept.set(name, snapshot)
      return
    }
    snapshot.state.close()
    files.remove(name)
  }

  function close(name: string): void {
    for (const [each, { state }] of kept) {
      if (each !== name) continue
      kept.delete(each)
      state.close()
    }
  }

  return {
    open: () => {
      if (isOpened) return
      files.remove('copy')
      for (const name of KEPT_NAMES) open(name)
      isOpened = true
    },
    get: (name) => kept.get(name),
    all: () => KEPT_NAMES.flatMap((name) => kept.get(name) ?? []),
    at: (epoch) => [...kept.values()].find((snapshot) => equalBytes(snapshot.epoch, epoch)),
    put: (name, from) => {
      // What fails on the way is found by opening them again.
      isOpened = false
      const before = kept.get(name)
      const isAside = before !== undefined && isDiverged(before.epoch)
      close(name)
      close(from)
      if (isAside) files.putAside(name, before.epoch)
      files.replace(name, from)
      open(name)
      const snapshot = kept.get(name)
      assert(snapshot !== undefined, 'what was made is whole')
      isOpened = true
      return snapshot
    },
    drop: (name) => {
      if (!kept.has(name)) return
      close(name)
      files.remove(name)
    },
    info: (name) => {
      const snapshot = kept.get(name)
      const epoch = snapshot && log.book.epochOf(snapshot.epoch)
      if (snapshot === undefined || epoch === undefined) return undefined
      const { hash: root, rows } = snapshot.root
      return { epoch: snapshot.epoch, seq: epoch.record.op.value.seq, root, rows, bytes: files.bytes(name) }
    },
    read: ({ epoch, after, maxBytes }) => {
      const served = [kept.get('settled'), kept.get('base')].flatMap((each) => each ?? [])
      const snapshot = epoch === undefined ? kept.get('settled') : served.find((each) => equalBytes(epoch, each.epoch))
      if (snapshot === undefined) {
        if (epoch !== undefined) throw new SnapshotGone(epoch)
        throw new SnapshotUnavailable('there is no snapshot of the store: wait until an epoch is settled')
      }
      return { ...snapshot.state.readRows(after, maxBytes), epoch: snapshot.epoch, root: snapshot.root.hash }
    },
    close: () => {
      for (const name of KEPT_NAMES) close(name)
    },
  }
}
