/**
 * A projector for tests: it records each operation it is given, and knows a few words to be told by.
 *
 * App payloads are text. `set k v` writes a row; `reject` is rejected; `throw` throws while `faults.throwing` is set;
 * `follows <hex>` is rejected unless it follows that intention; `admit <hex>` stands in the system table and admits an author. Every other payload is counted alone.
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
  str,
  toHex,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { Authority, OpOutcome, ProjectedOp, Projector, StoreTables } from '@lattice/store-base'

export interface TrackingProjector extends Projector<string> {
  /** Ids in the order they were applied, rejected ones included. */
  readonly applied: string[]
  /** What each was given as cited. */
  readonly cited: Map<string, readonly IntentionId[]>
  readonly faults: { throwing: boolean; version: string }
}

export function createTrackingProjector(): TrackingProjector {
  const applied: string[] = []
  const cited = new Map<string, readonly IntentionId[]>()
  const faults = { throwing: false, version: 'tracking/1' }

  function apply(tables: StoreTables, op: ProjectedOp): OpOutcome<string> {
    const bytes = op.op?.op.case === 'appData' ? op.op.op.value : undefined
    const text = bytes === undefined ? undefined : utf8Decode(bytes)
    const [word = '', key = '', value = ''] = (text ?? '').split(' ')
    if (word === 'throw') {
      tables.app.set(utf8Encode('half'), utf8Encode('done'))
      if (faults.throwing) throw new Error('the machine is broken')
    }
    applied.push(toHex(op.id))
    cited.set(toHex(op.id), op.deps)
    if (word === 'follows' && !op.follows(toIntentionId(fromHex(key) ?? op.id))) {
      return { kind: 'rejected', reason: 'follows_not' }
    }
    if (text === undefined) return { kind: 'rejected', reason: 'payload_unknown' }
    if (word === 'reject' || value === 'reject') {
      tables.app.set(utf8Encode('never'), utf8Encode('seen'))
      return { kind: 'rejected', reason: 'asked_for' }
    }
    if (word === 'admit') tables.system.set(utf8Encode(`peer/${key}`), op.id)
    // The greatest id wins, so that the table does not depend on the order.
    else if (word === 'set') setGreatest(tables, utf8Encode(key), { id: op.id, value })
    else tables.app.set(op.id, bytes ?? op.id)
    return { kind: 'applied', events: [text] }
  }

  return {
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
