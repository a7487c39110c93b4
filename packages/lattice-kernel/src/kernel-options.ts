/**
 * What a kernel is given.
 *
 * @module
 */
import type {
  Clock,
  Crypto,
  Hash,
  IntentionId,
  Logger,
  Scheduler,
  SignedIntention,
  Signer,
  StoreId,
  Verifier,
} from '@lattice/model'
import type { FileCheck, FileWork, StorageHooks } from '@lattice/storage'
import type { Authority, MembershipPolicy, Projector } from '@lattice/store-base'
import type { LogDurability } from './open-log.ts'
import type { ScrubOptions } from './scrub-options.ts'

export interface KernelOptions {
  /** Holds `log.db` and `state.db`; created when absent. One kernel at a time. */
  readonly directory: string
  readonly storeId: StoreId
  /** The genesis, where this node creates the store or holds it already. A joiner opens without and ingests it. */
  readonly genesis?: SignedIntention
  readonly projector: Projector
  readonly authority: Authority
  /** What epochs, and those they concern, mean. Absent: no epoch counts. */
  readonly membership?: MembershipPolicy
  readonly signer: Signer
  readonly crypto: Crypto
  /** Verifies what arrives in batches, beside this thread. Absent: each signature in place. */
  readonly verifier?: Verifier
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  /**
   * How sure a write is when it resolves: `full` unless told. With `normal` it survives the end of the process, and not of
   * necessity a power cut; what a peer had already seen of it then makes this node's chain fork. For data that can be
   * made again.
   */
  readonly durability?: LogDurability
  /** What connected peers say is the time, where there are any. */
  readonly peerTime?: () => PeerTime | undefined
  /** How long after something arrived it is acknowledged; `ACK_DELAY_MS` unless told, never when infinite. */
  readonly ackDelayMs?: number
  /**
   * The root of the state at an epoch, for this node to sign. Resolves once it is known, with undefined where it never is,
   * and when the kernel closes.
   */
  readonly rootOf?: (epoch: IntentionId) => Promise<Hash | undefined>
  /**
   * Keeps the state at epochs, and signs its root. Only a node that knows the store's type has all of its state; another
   * acknowledges epochs without a root.
   */
  readonly snapshots?: boolean
  /** Called while state catches up, at open and whenever it is far behind: applied records, and how many there are. */
  readonly onRebuild?: RebuildProgress
  /** How SQLite's own structure is looked at; in a thread unless told otherwise. */
  readonly fileCheck?: FileCheck
  /** How files are copied and made durable beside the writer; in threads unless told otherwise. */
  readonly fileWork?: FileWork
  /** Has the log read through in the background; nothing does without it. */
  readonly scrub?: ScrubOptions
  /**
   * Why this node must not write yet, as a sentence: its own chain may go on beyond what is here. Asked for each write;
   * what others wrote is taken in meanwhile. A `WriteRefused` that it throws is the refusal.
   */
  readonly holdWrites?: () => string | undefined
  /**
   * Places of what is gone that a cut may leave: three quarters of what whoever begins there takes unless told otherwise, which
   * leaves room for those that other nodes keep beside.
   */
  readonly cutPlacesMax?: number
  /** Fault injection for tests. */
  readonly storageHooks?: StorageHooks
}

/** What connected peers say is the time. */
export interface PeerTime {
  readonly medianMs: number
  /** How many say it. */
  readonly count: number
}

export type RebuildProgress = (done: number, total: number) => void
