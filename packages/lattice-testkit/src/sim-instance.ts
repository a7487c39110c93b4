/**
 * One node of a mesh over its starts and crashes: where its files are, and whether it can still do anything.
 *
 * @module
 */
import { join } from 'node:path'
import type { Cancel, Clock, Logger, PublicKey, Scheduler } from '@lattice/model'
import type { SeededRandom } from '@lattice/model/testing'
import type { Node } from '@lattice/node'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import { copyAfterCrash, type FileMark, markFile, tearFiles } from './crash-files.ts'

/** Called at each storage point of a node that has not crashed; what it throws is the disk's own error. */
export type DiskHook = (index: number, point: StoragePoint, path: string) => void

export interface Instance {
  readonly index: number
  readonly name: string
  dataDir: string
  generation: number
  node: Node | undefined
  publicKey: PublicKey | undefined
  /** Replaced with each start. Not `open` once that crashed: then its hooks and timers do nothing. */
  gate: Gate
  crashAt: { point: StoragePoint; left: number; tear: boolean } | undefined
  /** Added to the wall clock, which is the machine's: it outlives crashes. */
  skewMs: number
  /** Nodes that crashed: they hold their files until they are let go. */
  readonly dead: { readonly node: Node; readonly gate: Gate }[]
}

/** `released`: the node crashed, is forgotten by all, and may now close what it holds. */
export interface Gate {
  state: 'open' | 'crashed' | 'released'
  /** Of the state databases opened behind it. */
  readonly marks: Map<string, FileMark>
  /** Ends each timer that waits behind it. */
  readonly timers: Set<Cancel>
}

export function createInstance(root: string, index: number): Instance {
  const name = `node-${index}`
  return {
    index,
    name,
    dataDir: join(root, name),
    generation: 0,
    node: undefined,
    publicKey: undefined,
    gate: createGate(),
    crashAt: undefined,
    skewMs: 0,
    dead: [],
  }
}

export function createGate(): Gate {
  return { state: 'open', marks: new Map(), timers: new Set() }
}

export interface CrashOptions {
  readonly root: string
  /** What the disk loses is drawn from it; nothing is lost without. */
  readonly tear: SeededRandom | undefined
}

/** Ends the instance as a power cut would. False when it is down already. */
export function crashInstance(instance: Instance, { root, tear }: CrashOptions): boolean {
  const { gate, node, dataDir: before } = instance
  if (gate.state !== 'open') return false
  gate.state = 'crashed'
  if (node !== undefined) instance.dead.push({ node, gate })
  instance.node = undefined
  instance.generation += 1
  instance.dataDir = join(root, `${instance.name}.${instance.generation}`)
  copyAfterCrash(before, instance.dataDir)
  if (tear !== undefined) tearFiles(instance.dataDir, { random: tear, marks: gate.marks, before })
  return true
}

/** Crashes at the chosen point; after a crash, every write fails. */
export function hooksOf(
  instance: Instance,
  gate: Gate,
  { crash, disk }: { readonly crash: (tear: boolean) => void; readonly disk: DiskHook | undefined },
): StorageHooks {
  return {
    at: (point, path) => {
      if (gate.state === 'released') return
      if (gate.state === 'crashed') throw new Error('this node has crashed')
      if (point === 'opened' && path.endsWith('state.db')) {
        const mark = markFile(path)
        if (mark !== undefined) gate.marks.set(path, mark)
      }
      disk?.(instance.index, point, path)
      const plan = instance.crashAt
      if (plan === undefined || plan.point !== point) return
      plan.left -= 1
      if (plan.left > 0) return
      instance.crashAt = undefined
      crash(plan.tear)
      throw new Error('this node crashes here')
    },
  }
}

/** Timers of a node that crashed do nothing, until it is let go. */
export function gatedScheduler(scheduler: Scheduler, gate: Gate): Scheduler {
  const behindGate = (begin: (task: () => void) => Cancel, task: () => void): Cancel => {
    const cancel = begin(() => {
      gate.timers.delete(cancel)
      if (gate.state !== 'crashed') task()
    })
    gate.timers.add(cancel)
    return () => {
      gate.timers.delete(cancel)
      cancel()
    }
  }
  return {
    after: (delayMs, task) => behindGate((guarded) => scheduler.after(delayMs, guarded), task),
    soon: (task) => behindGate(scheduler.soon, task),
  }
}

/** The node's own clock: the mesh's, and what the instance adds to it. */
export function skewedClock(clock: Clock, instance: Instance): Clock {
  return { wallMs: () => clock.wallMs() + instance.skewMs, monotonicMs: clock.monotonicMs }
}

/** What a node says once it has crashed is nobody's business: its disk refuses everything. */
export function gatedLogger(logger: Logger, gate: Gate): Logger {
  const guard =
    (level: keyof Logger): Logger['info'] =>
    (event, fields) => {
      if (gate.state === 'open') logger[level](event, fields)
    }
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}
