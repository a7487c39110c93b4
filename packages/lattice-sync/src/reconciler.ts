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
import { createMessageWriter, VERSION_BYTE } from './message-writer.ts'
import type { RangeIndex } from './range-index.ts'
import type { ReconcileError } from './reconcile-error.ts'
import { AnswerPass } from './answer-pass.ts'
import type { FoundIds, PassContext, Role } from './reconcile-pass.ts'
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

/** The next part of an answer: what it found, and the reply with the last one. */
export type ReconcilePart = (ReconcileStep & { readonly isWhole: true }) | (FoundIds & { readonly isWhole: false })

/** An answer in the making. */
export interface ReconcileAnswer {
  /**
   * Goes on for about `workMax` (1 or more), then pauses between two ranges or within a list of own items; the whole is
   * the same however it is cut. Work is counted, in questions to the index: a rank, a sum, {@link ITEMS_PER_WORK} items.
   * One more range is at most what a part takes beyond: some fifty for sixteen finer ones, the ids of a frame for a list.
   * Not called again after the last part or a refusal. What earlier parts found stays true when a later one is refused.
   */
  readonly advance: (workMax: number) => Result<ReconcilePart, ReconcileError>
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
  /** The same in parts, for whoever has other things to do in between. One message at a time; it stays as it is. */
  readonly begin: (message: Uint8Array) => ReconcileAnswer
}

/** Starts one side of a session over `index`. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { index, role, roundsMax = MAX_ROUNDS, split = 'even' } = options
  const context = passContext(options)
  assert(roundsMax >= 1 && roundsMax <= MAX_ROUNDS, 'rounds are bounded')
  let state: 'new' | 'open' | 'answering' | 'over' = role === 'initiator' ? 'new' : 'open'
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

  function begin(message: Uint8Array): ReconcileAnswer {
    assert(state !== 'answering', 'messages are answered one after the other')
    assert(state !== 'new', 'an initiator starts before it receives')
    if (state === 'over') return { advance: () => err({ code: 'session_over' }) }
    const admitted = rounds === roundsMax ? tooManyRounds(roundsMax) : admit(message, role)
    rounds += 1
    if (!admitted.ok) {
      state = 'over'
      return { advance: () => admitted }
    }
    if (admitted.value === 'another version') {
      const reply = createMessageWriter().finish()
      return { advance: () => ok({ isWhole: true, reply, have: [], need: [] }) }
    }
    const pass = new AnswerPass(context, message)
    state = 'answering'
    return { advance: (workMax) => advance(pass, workMax) }
  }

  function advance(pass: AnswerPass, workMax: number): Result<ReconcilePart, ReconcileError> {
    assert(state === 'answering', 'an answer is made once')
    const part = pass.advance(workMax)
    if (!part.ok) {
      state = 'over'
      return part
    }
    const { reply, have, need } = part.value
    if (reply === undefined) return ok({ isWhole: false, have, need })
    // Only the version byte: every range is decided.
    const isDecided = role === 'initiator' && reply.length === 1
    state = isDecided ? 'over' : 'open'
    return ok(isDecided ? { isWhole: true, have, need } : { isWhole: true, reply, have, need })
  }

  function receive(message: Uint8Array): Result<ReconcileStep, ReconcileError> {
    const part = begin(message).advance(Infinity)
    if (!part.ok) return part
    assert(part.value.isWhole, 'without a bound an answer has one part')
    const { reply, have, need } = part.value
    return ok(reply === undefined ? { have, need } : { reply, have, need })
  }

  return { start, receive, begin }
}

function tooManyRounds(max: number): Result<never, ReconcileError> {
  return err({ code: 'too_many_rounds', max })
}

/** Everything that is known of a message before its ranges are looked at. */
function admit(message: Uint8Array, role: Role): Result<'this version' | 'another version', ReconcileError> {
  if (message.length > MAX_MESSAGE_BYTES) {
    return err({ code: 'message_too_long', length: message.length, max: MAX_MESSAGE_BYTES })
  }
  const [versionByte] = message
  if (versionByte === undefined) return err({ code: 'truncated', offset: 0 })
  if (versionByte < FIRST_VERSION_BYTE || versionByte > LAST_VERSION_BYTE) {
    return err({ code: 'not_negentropy', versionByte })
  }
  if (versionByte === VERSION_BYTE) return ok('this version')
  // The protocol's own answer: the highest version spoken here, so that the peer may try again with it.
  if (role === 'responder') return ok('another version')
  return err({ code: 'unsupported_version', version: versionByte - FIRST_VERSION_BYTE })
}

function passContext(options: ReconcilerOptions): PassContext {
  const { index, role, frameBytesMax = MAX_MESSAGE_BYTES, idsPerMessageMax = MAX_IDS_PER_MESSAGE } = options
  assert(frameBytesMax >= MIN_FRAME_BYTES, 'a frame limit is at least the smallest of the specification')
  assert(frameBytesMax <= MAX_MESSAGE_BYTES, 'a frame limit is at most the longest message')
  assert(idsPerMessageMax >= MIN_IDS_PER_MESSAGE, 'the id budget covers a leaf')
  assert(idsPerMessageMax <= MAX_IDS_PER_MESSAGE, 'the id budget is bounded')
  return { index, role, frameBytesMax, idsPerMessageMax }
}
