/**
 * A state machine that notices being driven wrongly: an operation applied twice, or before one that it cites.
 *
 * What was applied is in the table, so a rebuild begins anew and a crash forgets what it has to. What is cited and beyond a
 * cutoff is never applied: who wrote what cites it had not seen the cutoff yet.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, toHex } from '@lattice/model'
import type { StateMachine } from '@lattice/store-base'
import { machineOf } from '../test-machines.ts'

export interface ApplyWatch {
  /** Opens the machine; its type is `test:watched`. */
  readonly open: () => StateMachine
  /** What must never happen, as sentences; over every machine this watch opened. */
  readonly violations: () => readonly string[]
  /** Something was applied without what it cites, and nobody has said yet that this is beyond a cutoff. */
  readonly lacks: () => boolean
  /** These are beyond a cutoff. */
  readonly leaveOut: (ids: readonly IntentionId[]) => void
}

export type PlantMachine = (machine: StateMachine, nth: number) => StateMachine

export const WATCHED_TYPE = 'test:watched'

/** `plant` may put another machine in the place of each that is opened: how the checks themselves are tested. */
export function createApplyWatch({ plant }: { readonly plant?: PlantMachine | undefined } = {}): ApplyWatch {
  const twice: string[] = []
  const early: { readonly id: IntentionId; readonly dep: IntentionId }[] = []
  const leftOut = new Set<IdKey>()
  const unexplained = (): typeof early => early.filter(({ dep }) => !leftOut.has(idKey(dep)))
  // Operations of this type that were applied anywhere: of an intention that is none of them nothing is known.
  const known = new Set<IdKey>()
  let opened = 0
  const create = (): StateMachine =>
    machineOf(WATCHED_TYPE, (table, { id, deps, payload }) => {
      if (table.get(id) !== undefined) twice.push(`${toHex(id)} was applied twice`)
      for (const dep of deps) {
        if (known.has(idKey(dep)) && table.get(dep) === undefined) early.push({ id, dep })
      }
      known.add(idKey(id))
      table.set(id, payload)
      return { kind: 'applied', events: [] }
    })
  const open = (): StateMachine => {
    opened += 1
    return plant?.(create(), opened) ?? create()
  }
  return {
    open,
    violations: () => [
      ...twice,
      ...unexplained().map(({ id, dep }) => `${toHex(id)} was applied before ${toHex(dep)}, which it cites`),
    ],
    lacks: () => unexplained().length > 0,
    leaveOut: (ids) => ids.forEach((id) => leftOut.add(idKey(id))),
  }
}
