/**
 * Reads what nodes log: an error is an alarm, and so is a peer that is scored.
 *
 * @module
 */
import { isLatticeError, type LogFields, type Logger } from '@lattice/model'
import { countUp, find, type RunRecord } from './run-record.ts'

/** What a node may say of a disk that takes nothing: the store or the pass that it names goes on once there is room. */
const EXPECTED_OF_FULL_DISKS: ReadonlySet<string> = new Set(['stores.pass_failed', 'store.failed'])

/** Said of an epoch where somebody signed another state at it: true where the hostile peer did. */
const DIVERGENCE = 'the state at an epoch is not the same everywhere'

/** A logger for the node of this name. */
export function watchLines(record: RunRecord, name: string): Logger {
  const index = Number(name.slice('node-'.length))
  const isHostile = index === record.plan.nodes
  const note = (level: string, event: string, fields?: LogFields): void =>
    record.journal.note(`${name} ${level} ${event}${textOf(fields)}`)
  return {
    debug: () => undefined,
    info: (event) => {
      if (event === 'store.purged') countUp(record.acts, 'purged')
    },
    warn: (event, fields) => {
      note('warns', event, fields)
      if (event === 'peer misbehaves' && !isHostile) record.onMisbehaviour(index, fields)
    },
    error: (event, fields) => {
      note('logs an error:', event, fields)
      const isOfDisk = record.hadFullDisk.has(index) && EXPECTED_OF_FULL_DISKS.has(event)
      const isOfLie = event === DIVERGENCE && record.lyingEpochs.has(String(fields?.['epoch']))
      if (isHostile || isOfDisk || isOfLie) return
      find(record, 'no_errors_logged', `${name} logged ${event}${textOf(fields)}`)
    },
  }
}

const FOLDER = /\S*lattice-mesh-[^/]*/g

function textOf(fields: LogFields | undefined): string {
  if (fields === undefined) return ''
  // Where the files are is of chance, and has no part in what happens.
  const parts = Object.entries(fields).map(([key, value]) => `${key}=${valueText(value).replace(FOLDER, '…')}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value.subarray(0, 4)).toString('hex')
  if (value instanceof Error) {
    const cause = value.cause === undefined ? '' : ` because ${valueText(value.cause)}`
    return `${isLatticeError(value) ? `${value.code} ` : ''}${value.message}${cause}`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}
