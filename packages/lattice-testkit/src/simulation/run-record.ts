/**
 * What a run did and saw so far.
 *
 * @module
 */
import type { Clock, IntentionId, LogFields, PublicKey, StoreId } from '@lattice/model'
import type { SimulationFinding } from './failure.ts'
import type { HostileHabit } from './kinds.ts'
import { createJournal, type Journal } from './journal.ts'
import type { SimulationPlan } from './plan.ts'

/** A write that was acknowledged. */
export interface Acknowledged {
  readonly storeId: StoreId
  readonly id: IntentionId
  readonly node: number
  /** What it put, and nobody puts or deletes again. */
  readonly key?: string
}

/** An epoch that a node said is settled. */
export interface ToldSettled {
  readonly node: number
  /** Of the epoch; undefined where the node has it no more. */
  readonly author: PublicKey | undefined
  readonly storeId: StoreId
  readonly epoch: IntentionId
}

/** What the hostile peer signed and must never count. */
export interface Forged {
  readonly id: IntentionId
  readonly what: string
}

/** A child that was made in the run. */
export interface MadeStore {
  readonly id: StoreId
  readonly name: string
  readonly storeType: 'core:kvstore' | 'core:logstore'
  /** Who declared it: what it declared goes with it where it was removed at the same time. */
  readonly node: number
}

/** A token that was made in the run. */
export interface MadeToken {
  readonly token: string
  readonly tokenHash: Uint8Array
  readonly uses: number
}

export interface RunRecord {
  readonly plan: SimulationPlan
  readonly journal: Journal
  /** Set once there is a mesh. */
  clock: Clock | undefined
  phase: 'begin' | 'chaos' | 'heal' | 'check'
  step: number
  readonly acknowledged: Acknowledged[]
  readonly made: MadeStore[]
  readonly tokens: MadeToken[]
  readonly settled: ToldSettled[]
  readonly forged: Forged[]
  /** Writes that were put aside and that a node said it has written anew. */
  readonly writtenAnew: Set<string>
  /** Those that it was asked to, and has not answered yet, or never as it crashed: it may have written them. */
  readonly beingWrittenAnew: Set<string>
  /** Epochs at which the hostile peer signed a state that nobody has: that is told, as an error. */
  readonly lyingEpochs: Set<string>
  /** Roots that the hostile peer signed for epochs that its acks do not follow. */
  readonly forgedRoots: Set<string>
  /** By node and store, how much it held when it was followed first. */
  readonly followedFrom: Map<string, number>
  /** By node and store: it began anew behind a cut. */
  readonly returned: Set<string>
  /** Nodes that somebody meant to take a right from, or to let be away: what they are to others may have changed. */
  readonly unsteady: Set<number>
  /** Nodes that are being started or closed. */
  readonly busy: Set<number>
  /** Nodes that are down and are to be started some time. */
  readonly returning: Set<number>
  /** Nodes whose disk takes nothing. */
  readonly fullDisks: Set<number>
  /** Nodes that had a full disk since they were started: what they said of it is no alarm. */
  readonly hadFullDisk: Set<number>
  /** What was done, by kind. */
  readonly acts: Map<string, number>
  readonly deeds: Map<HostileHabit, number>
  isHostileActive: boolean
  /** What must never be so and was seen. */
  readonly findings: SimulationFinding[]
  /** Acts that have not ended, with what they are and the node that was asked. */
  readonly underWay: Map<symbol, { readonly what: string; readonly node: number }>
  /** A node scored a peer; `fields` are those of the line that says so. */
  onMisbehaviour: (index: number, fields: LogFields | undefined) => void
  /** Sessions that ended, and those of them that said `synced`. */
  sessions: number
  synced: number
}

export function createRunRecord(plan: SimulationPlan, onLine?: (line: string) => void): RunRecord {
  const record: RunRecord = {
    plan,
    journal: createJournal({ clock: () => record.clock, onLine }),
    clock: undefined,
    phase: 'begin',
    step: 0,
    acknowledged: [],
    made: [],
    tokens: [],
    settled: [],
    forged: [],
    writtenAnew: new Set(),
    beingWrittenAnew: new Set(),
    lyingEpochs: new Set(),
    forgedRoots: new Set(),
    followedFrom: new Map(),
    returned: new Set(),
    unsteady: new Set(),
    busy: new Set(),
    returning: new Set(),
    fullDisks: new Set(),
    hadFullDisk: new Set(),
    acts: new Map(),
    deeds: new Map(),
    isHostileActive: false,
    findings: [],
    underWay: new Map(),
    onMisbehaviour: () => undefined,
    sessions: 0,
    synced: 0,
  }
  return record
}

export function countUp<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** Remembers what must never be so. Only the first is reported: what follows may follow from it. */
export function find({ findings, journal }: RunRecord, invariant: string, message: string): void {
  journal.note(`FOUND ${invariant}: ${message}`)
  findings.push({ invariant, message })
}
