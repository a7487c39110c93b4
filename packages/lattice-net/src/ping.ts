/**
 * The ping: a stream that is opened, accepted and over. One small round trip, about no store, to see whether a peer lives.
 *
 * @module
 */
import { finish, type SessionMachine, unexpected } from './session.ts'

/** A question is no use of a connection: one that nothing else runs over counts as idle. */
const lasting = (): boolean => true

/** The side that asks: done once the peer has ended its side. */
export function createPing(): SessionMachine<void> {
  return {
    start: () => [],
    receive: (frame) => [unexpected(frame)],
    answered: () => [],
    ended: () => [finish(undefined)],
    lasting,
  }
}

/** The side that answers: being accepted is the answer. */
export function createPong(): SessionMachine<void> {
  return {
    start: () => [finish(undefined)],
    receive: (frame) => [unexpected(frame)],
    answered: () => [],
    lasting,
  }
}
