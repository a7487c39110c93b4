/**
 * One side of a Negentropy v1 session, without I/O: messages in, messages and differences out.
 *
 * A session keeps a round counter and nothing else between messages. What one message can cost is bounded by its own
 * size, the frame limit and the id budget, and what it found is handed out at once; so a peer that lies or repeats
 * itself spends rounds, not our memory, and rounds are counted.
 *
 * @module
 */
import { assert, err, ok, type Result } from '@lattice/model'
import { type Id, INFINITY_BOUND } from './item.ts'
import { MAX_IDS_PER_MESSAGE, MAX_MESSAGE_BYTES, MAX_ROUNDS, MIN_FRAME_BYTES, MIN_IDS_PER_MESSAGE } from './limits.ts'
import { createMessageReader } from './message-reader.ts'
import { createMessageWriter, VERSION_BYTE } from './message-writer.ts'
import type { RangeIndex } from './range-index.ts'
import type { ReconcileError } from './reconcile-error.ts'
import { type PassContext, type PassOutcome, ReconcilePass, type Role } from './reconcile-pass.ts'
import { splitRange } from './split-range.ts'
import { splitRecent } from './split-recent.ts'

/** Version bytes of all versions of the protocol: 0x60 plus the version. */
const FIRST_VERSION_BYTE = 0x60
const LAST_VERSION_BYTE = 0x6f

export interface ReconcilerOptions {
  readonly index: RangeIndex
  readonly role: Role
  /** Longest message to write, 4,096 to {@link MAX_MESSAGE_BYTES} bytes; that maximum by default. */
  readonly frameBytesMax?: number
  /** Own ids one message may report, from 32; {@link MAX_IDS_PER_MESSAGE} by default. */
  readonly idsPerMessageMax?: number
  /** Messages to accept before the session is over; see `roundLimit`. {@link MAX_ROUNDS} by default. */
  readonly roundsMax?: number
  /**
   * How the initiator cuts its set in the first message: into sixteenths as other implementations do (`'even'`, the
   * default), or finer towards the recent end (`'recent'`), which saves a round trip where differences are new items.
   */
  readonly split?: 'even' | 'recent'
}

/** What one message taught, and the answer to it. */
export interface ReconcileStep {
  /** What to send back. The initiator's last step has none: the difference is known. A responder always answers. */
  readonly reply?: Uint8Array
  /** Ids that only this side holds. Always empty for a responder. */
  readonly have: readonly Id[]
  /** Ids the peer says only it holds: a claim, which may name ids that do not exist or are here already. */
  readonly need: readonly Id[]
}

export interface Reconciler {
  /** The first message. Initiator only, once. */
  readonly start: () => Uint8Array
  /**
   * Answers the peer's next message; never throws on its content. The ids of a step are new arrays, independent of
   * `message`. With a frame limit an id may be reported by more than one step: collect them in a set. A refusal ends
   * the session.
   */
  readonly receive: (message: Uint8Array) => Result<ReconcileStep, ReconcileError>
}

/** Starts one side of a session over `index`. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { index, role, roundsMax = MAX_ROUNDS, split = 'even' } = options
  const context = passContext(options)
  assert(roundsMax >= 1 && roundsMax <= MAX_ROUNDS, 'rounds are bounded')
  let state: 'new' | 'open' | 'over' = role === 'initiator' ? 'new' : 'open'
  let rounds = 0

  function start(): Uint8Array {
    assert(role === 'initiator', 'the initiator starts a session')
    assert(state === 'new', 'a session starts once')
    state = 'open'
    const out = createMessageWriter()
    const start = out.mark()
    if (split === 'recent') splitRecent(out, index)
    // Only bounds of hostile lengths do not fit.
    if (split === 'even' || out.length() > context.frameBytesMax) {
      out.rollback(start)
      splitRange(out, index, { begin: 0, end: index.size(), bound: INFINITY_BOUND })
    }
    return out.finish()
  }

  function refuse(error: ReconcileError): Result<never, ReconcileError> {
    state = 'over'
    return err(error)
  }

  function receive(message: Uint8Array): Result<ReconcileStep, ReconcileError> {
    assert(state !== 'new', 'an initiator starts before it receives')
    if (state === 'over') return err({ code: 'session_over' })
    if (rounds === roundsMax) return refuse({ code: 'too_many_rounds', max: roundsMax })
    rounds += 1
    if (message.length > MAX_MESSAGE_BYTES) {
      return refuse({ code: 'message_too_long', length: message.length, max: MAX_MESSAGE_BYTES })
    }
    const versionByte = message[0]
    if (versionByte === undefined) return refuse({ code: 'truncated', offset: 0 })
    if (versionByte < FIRST_VERSION_BYTE || versionByte > LAST_VERSION_BYTE) {
      return refuse({ code: 'not_negentropy', versionByte })
    }
    if (versionByte !== VERSION_BYTE) {
      // The protocol's own answer: the highest version spoken here, so that the peer may try again with it.
      if (role === 'responder') return ok({ reply: createMessageWriter().finish(), have: [], need: [] })
      return refuse({ code: 'unsupported_version', version: versionByte - FIRST_VERSION_BYTE })
    }
    const outcome = answer(context, message)
    if (!outcome.ok) return refuse(outcome.error)
    const { reply, have, need } = outcome.value
    // Only the version byte: every range is decided.
    if (role === 'initiator' && reply.length === 1) {
      state = 'over'
      return ok({ have, need })
    }
    return ok({ reply, have, need })
  }

  return { start, receive }
}

/** Runs one pass. The whole message is read even when the reply is full, so that a malformed end is never overlooked. */
function answer(context: PassContext, message: Uint8Array): Result<PassOutcome, ReconcileError> {
  const reader = createMessageReader(message)
  const pass = new ReconcilePass(context)
  for (;;) {
    const range = reader.next()
    if (!range.ok) return range
    if (range.value === undefined) return ok(pass.finish())
    pass.take(range.value)
  }
}

function passContext(options: ReconcilerOptions): PassContext {
  const { index, role, frameBytesMax = MAX_MESSAGE_BYTES, idsPerMessageMax = MAX_IDS_PER_MESSAGE } = options
  assert(frameBytesMax >= MIN_FRAME_BYTES, 'a frame limit is at least the smallest of the specification')
  assert(frameBytesMax <= MAX_MESSAGE_BYTES, 'a frame limit is at most the longest message')
  assert(idsPerMessageMax >= MIN_IDS_PER_MESSAGE, 'the id budget covers a leaf')
  assert(idsPerMessageMax <= MAX_IDS_PER_MESSAGE, 'the id budget is bounded')
  return { index, role, frameBytesMax, idsPerMessageMax }
}
