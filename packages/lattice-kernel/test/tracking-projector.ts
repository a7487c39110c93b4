/**
 * A projector for tests: it records each operation it is given, and knows a few words to be told by.
 *
 * An admission by a system op is a row of the system table, and may call for an epoch. App payloads are text. `set k v` writes a row; `reject` is rejected; `throw` throws while `faults.throwing` is set;
 * `put k v` puts a head on a key in the place of those it covers; `follows <hex>` is rejected unless it follows that intention; `admit <hex>` stands in the system table and admits an author. Every other payload is counted alone.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  fromHex,
  toIntentionId,
  type IntentionId,
  type KnownOp,
  type PublicKey,
  type ReadTable,
  str,
  toHex,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { type system, weaver } from '@lattice/proto'
import type { Authority, EpochWish, OpOutcome, ProjectedOp, Projector, StoreTables } from '@lattice/store-base'

export interface TrackingProjector extends Projector<string> {
  /** Ids in the order they were applied, rejected ones included. */
  readonly applied: string[]
  /** What each was given as cited. */
  readonly cited: Map<string, readonly IntentionId[]>
  readonly faults: { throwing: boolean; version: string }
  /** What the first admission by a system op calls for. */
  epoch: EpochWish | undefined
}

export function createTrackingProjector(): TrackingProjector {
  const applied: string[] = []
  const cited = new Map<string, readonly IntentionId[]>()
  const faults = { throwing: false, version: 'tracking/1' }

  function apply(tables: StoreTables, op: ProjectedOp): OpOutcome<string> {
    if (op.op?.op.case === 'system') return applySystem(tables, op, op.op.op.value)
    const bytes = op.op?.op.case === 'appData' ? op.op.op.value : undefined
    const text = bytes === undefined ? undefined : utf8Decode(bytes)
    const [word = '', key = '', value = ''] = (text ?? '').split(' ')
    if (word === 'throw') {
      tables.app.set(utf8Encode('half'), utf8Encode('done'))
      if (faults.throwing) throw new Error('the machine is broken')
    }
    applied.push(toHex(op.id))
    if (op.op?.op.case === 'epoch') return { kind: 'applied', events: ['epoch'] }
    cited.set(toHex(op.id), op.deps)
    if (word === 'follows' && !op.follows(toIntentionId(fromHex(key) ?? op.id))) {
      return { kind: 'rejected', reason: 'follows_not' }
    }
    if (text === undefined) return { kind: 'rejected', reason: 'payload_unknown' }
    if (word === 'reject' || value === 'reject') {
      tables.app.set(utf8Encode('never'), utf8Encode('seen'))
      return { kind: 'rejected', reason: 'asked_for' }
    }
    // As a key of a table has it: what it does not cover stays beside it.
    if (word === 'put') putHead(tables, op, { key, value })
    else if (word === 'admit') tables.system.set(utf8Encode(`peer/${key}`), op.id)
    // The greatest id wins, so that the table does not depend on the order.
    else if (word === 'set') setGreatest(tables, utf8Encode(key), { id: op.id, value })
    else tables.app.set(op.id, bytes ?? op.id)
    return { kind: 'applied', events: [text] }
  }

  function applySystem(tables: StoreTables, { id }: ProjectedOp, { op }: system.SystemOp): OpOutcome<string> {
    applied.push(toHex(id))
    if (op.case !== 'peer') return { kind: 'rejected', reason: 'payload_unknown' }
    const isFirst = tables.system.get(utf8Encode('any')) === undefined
    tables.system.set(utf8Encode('any'), utf8Encode('peer'))
    tables.system.set(utf8Encode(`peer/${toHex(op.value.peer)}`), id)
    return { kind: 'applied', events: ['peer'], ...(isFirst && self.epoch && { epoch: self.epoch }) }
  }

  const self: TrackingProjector = {
    epoch: undefined,
    applied,
    cited,
    faults,
    get version() {
      return faults.version
    },
    applyGenesis: (tables, genesis) => {
      applied.push(toHex(genesis.id))
      tables.system.set(utf8Encode(`peer/${toHex(genesis.author)}`), genesis.id)
      return { kind: 'applied', events: ['genesis'] }
    },
    apply,
    summarize: () => str('tracked'),
  }
  return self
}

/** Heads of a key, each with its value; a write takes the place of those it covers. */
function putHead(
  { app }: StoreTables,
  { id, timestamp, covers }: ProjectedOp,
  { key, value }: { readonly key: string; readonly value: string },
): void {
  const row = utf8Encode(`key/${key}`)
  const heads = (utf8Decode(app.get(row) ?? new Uint8Array()) ?? '').split('\n').filter((head) => head !== '')
  const kept = heads.filter((head) => {
    const [of = '', , wall, counter] = head.split(' ')
    return !covers(toIntentionId(fromHex(of) ?? id), { wall: Number(wall), counter: Number(counter) })
  })
  const { wall, counter } = timestamp
  app.set(row, utf8Encode([...kept, `${toHex(id)} ${value} ${wall} ${counter}`].sort().join('\n')))
}

/** The heads of a key as `put` left them: ids in hex. */
export function headsOf(app: ReadTable, key: string): readonly string[] {
  const row = utf8Decode(app.get(utf8Encode(`key/${key}`)) ?? new Uint8Array()) ?? ''
  return row.split('\n').flatMap((head) => (head === '' ? [] : [head.split(' ')[0] ?? '']))
}

function setGreatest(
  { app }: StoreTables,
  key: Uint8Array,
  { id, value }: { readonly id: IntentionId; readonly value: string },
): void {
  const row = `${toHex(id)} ${value}`
  const before = app.get(key)
  if (before === undefined || (utf8Decode(before) ?? '') < row) app.set(key, utf8Encode(row))
}

/** Admits whom the system table names. */
export const trackingAuthority: Authority = {
  admits: ({ system }, author: PublicKey) => system.get(utf8Encode(`peer/${toHex(author)}`)) !== undefined,
  requiredDeps: () => [],
}

/** Admits everybody. */
export const openAuthority: Authority = { admits: () => true, requiredDeps: () => [] }

export function appOp(text: string): KnownOp {
  return { kind: 'appData', schema: 1, value: utf8Encode(text) }
}

export function appEnvelope(text: string): weaver.UniversalOp {
  return create(weaver.UniversalOpSchema, { schema: 1, op: { case: 'appData', value: utf8Encode(text) } })
}
