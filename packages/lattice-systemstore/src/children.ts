/**
 * The child stores that a store declares.
 *
 * @module
 */
import { parseStoreType, type PublicKey, type ReadTable, type StoreId, type StoreType } from '@lattice/model'
import { systemPrefix } from './keys.ts'
import { type Field, groupFields, readFields } from './read-fields.ts'
import { type ChildStatus, decodeChildStatus, decodeText, isMark } from './values.ts'

export interface ChildEntry {
  readonly child: StoreId
  /** Not unique: two peers may pick the same at once. */
  readonly alias: string
  readonly storeType: StoreType
  /** `destroyed` for good once an operation that counted said so. */
  readonly status: ChildStatus
  /** It has peers of its own. */
  readonly independent: boolean
  /** Peers that have destroyed their copy. */
  readonly destroyAcks: readonly PublicKey[]
  readonly conflicted: boolean
}

/** Every child that was added, in order of id. */
export function* readChildren(read: ReadTable): Generator<ChildEntry, void, undefined> {
  for (const group of groupFields(readFields(read, systemPrefix('child')), childOf)) {
    const entry = entryOf(group)
    if (entry !== undefined) yield entry
  }
}

export function readChild(read: ReadTable, child: StoreId): ChildEntry | undefined {
  return entryOf([...readFields(read, systemPrefix('child', child))])
}

function childOf(key: Field['key']): StoreId | undefined {
  return key.kind === 'child' || key.kind === 'destroy_ack' ? key.child : undefined
}

function entryOf(fields: readonly Field[]): ChildEntry | undefined {
  let [child, alias, status, storeType]: [StoreId?, string?, ChildStatus?, StoreType?] = []
  let independent = false
  const destroyAcks: PublicKey[] = []
  for (const { key, value } of fields) {
    if (key.kind === 'destroy_ack') destroyAcks.push(key.peer)
    if (key.kind !== 'child') continue
    child = key.child
    if (key.field === 'alias') alias = decodeText(value)
    else if (key.field === 'status') status = decodeChildStatus(value)
    else if (key.field === 'independent') independent = isMark(value) ?? false
    else storeType = decodeType(value)
  }
  if (child === undefined || alias === undefined || status === undefined || storeType === undefined) return undefined
  return {
    child,
    alias,
    storeType,
    status,
    independent,
    destroyAcks,
    conflicted: fields.some((field) => field.conflicted),
  }
}

function decodeType(bytes: Uint8Array): StoreType | undefined {
  const parsed = parseStoreType(decodeText(bytes) ?? '')
  return parsed.ok ? parsed.value : undefined
}
