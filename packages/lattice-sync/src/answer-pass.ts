/**
 * The answer to one message, in parts of bounded work: the ranges as they are read, one after the other.
 *
 * The whole message is read even when the reply is full, so that a malformed end is never overlooked.
 *
 * @module
 */
import { assert, ok, type Result } from '@lattice/model'
import { createMessageReader, type MessageReader } from './message-reader.ts'
import type { ReconcileError } from './reconcile-error.ts'
import { type FoundIds, type PassContext, ReconcilePass } from './reconcile-pass.ts'

/** What a part found, and the reply with the last one. */
export interface AnswerPart extends FoundIds {
  readonly reply: Uint8Array | undefined
}

export class AnswerPass {
  readonly #reader: MessageReader
  readonly #pass: ReconcilePass

  constructor(context: PassContext, message: Uint8Array) {
    this.#reader = createMessageReader(message)
    this.#pass = new ReconcilePass(context)
  }

  /** Goes on until `workMax` is used up; always by a range, or by an item of one. */
  advance(workMax: number): Result<AnswerPart, ReconcileError> {
    assert(workMax >= 1, 'a part does some work')
    const pass = this.#pass
    pass.resume()
    const begun = pass.work
    for (let left = workMax; left > 0; left = workMax - (pass.work - begun)) {
      if (pass.isComparing) {
        pass.compare(left)
        continue
      }
      const range = this.#reader.next()
      if (!range.ok) return range
      if (range.value === undefined) return ok({ ...pass.found(), reply: pass.reply() })
      pass.take(range.value)
    }
    return ok({ ...pass.found(), reply: undefined })
  }
}
