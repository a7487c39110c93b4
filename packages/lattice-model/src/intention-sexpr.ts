/**
 * The debug view of an intention.
 *
 * @module
 */
import { system, type weaver } from '@lattice/proto'
import { type Intention, NO_HINTS } from './intention.ts'
import { int, list, raw, type SExpr, str, sym } from './sexpr.ts'
import type { ParsedIntention } from './signed-intention.ts'
import type { UniversalOp } from './universal-op.ts'

/** A state machine's own view of a payload; `undefined` leaves it to the plain one. */
export type SummarizeOp = (op: UniversalOp) => SExpr | undefined

/** `(intention (id …) (author …) (timestamp w :counter c) (store-prev …) (deps …) [(hints …)] (ops …))`. */
export function intentionToSExpr(parsed: ParsedIntention, summarize?: SummarizeOp): SExpr {
  const { id, intention, op } = parsed
  const { author, timestamp, storePrev, causalDeps, hints } = intention
  const hasHints = hints.supersedesAll !== NO_HINTS.supersedesAll || hints.ephemeral !== NO_HINTS.ephemeral
  return list(
    sym('intention'),
    list(sym('id'), raw(id)),
    list(sym('author'), raw(author)),
    list(sym('timestamp'), int(timestamp.wall), sym(':counter'), int(timestamp.counter)),
    list(sym('store-prev'), raw(storePrev)),
    list(sym('deps'), ...causalDeps.map(raw)),
    ...(hasHints ? [hintsToSExpr(intention)] : []),
    list(sym('ops'), summarize?.(op) ?? opToSExpr(op, intention.ops)),
  )
}

function hintsToSExpr({ hints }: Intention): SExpr {
  return list(
    sym('hints'),
    ...(hints.supersedesAll ? [sym('supersedes-all')] : []),
    ...(hints.ephemeral ? [sym('ephemeral')] : []),
  )
}

/** The plain view: kernel ops in full, the rest as the bytes they are. */
function opToSExpr(op: UniversalOp, bytes: Uint8Array): SExpr {
  switch (op.kind) {
    case 'appData':
      return list(sym('app-data'), sym(':schema'), int(op.schema), raw(op.value))
    case 'system':
      return list(sym('system'), raw(bytes))
    case 'genesis':
      return list(sym('genesis'), sym(':type'), str(op.value.storeType), sym(':nonce'), raw(op.value.nonce))
    case 'epoch':
      return list(
        sym('epoch'),
        sym(':seq'),
        int(op.value.seq),
        sym(':cause'),
        causeToSExpr(op.value.cause?.cause),
        list(sym('required-acks'), ...op.value.requiredAcks.map(raw)),
      )
    case 'epochAck':
      return list(
        sym('epoch-ack'),
        sym(':epoch'),
        raw(op.value.epoch),
        sym(':state-root'),
        raw(op.value.stateRoot),
        sym(':chain-ends'),
        raw(op.value.chainEnds),
      )
    case 'ack':
      return list(sym('ack'))
    case 'sealed':
      return list(sym('sealed'), sym(':key'), raw(op.value.keyId), raw(op.value.ciphertext))
    case 'unknown':
      return list(sym('unknown'), raw(bytes))
  }
}

function causeToSExpr(cause: weaver.EpochCause['cause'] | undefined): SExpr {
  switch (cause?.case) {
    case 'initial':
    case 'key':
      return sym(cause.case)
    case 'prune':
      return cause.value.below.length === 0 ? sym('prune') : list(sym('prune'), sym(':below'), raw(cause.value.below))
    case 'joinOfEpochs':
      return sym('join-of-epochs')
    case 'membership':
      return list(sym('membership'), ...cause.value.removals.map(removalToSExpr))
    case 'parent':
      return list(sym('parent'), sym(':store'), raw(cause.value.store), sym(':epoch'), raw(cause.value.epoch))
    case 'setAside':
      return list(sym('set-aside'), ...cause.value.epochs.map(raw))
    case undefined:
      return sym('none')
  }
}

function removalToSExpr({ peer, remains }: weaver.Removal): SExpr {
  return list(raw(peer), sym(REMAINS.get(remains) ?? 'none'))
}

/** What a removal may leave of a peer's rights. */
const REMAINS: ReadonlyMap<number, string> = new Map([
  [system.Role.READER, 'reader'],
  [system.Role.WRITER, 'writer'],
])
