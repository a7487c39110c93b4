/**
 * The ping: a stream that is opened, accepted and over. One small round trip, about no store, to see whether a peer lives.
 *
 * @module
 */
import { finish, type SessionMachine, unexpected } from './session.ts'

/** The side that asks: done once the peer has ended its side. */
export function createPing(): SessionMachine<void> {
  return {
    start: () => [],
    receive: (frame) => [unexpected(frame)],
    answered: () => [],
    ended: () => [finish(undefined)],
  }
}

/** The side that answers: being accepted is the answer. */
export function createPong(): SessionMachine<void> {
  return {
    start: () => [finish(undefined)],
    receive: (frame) => [unexpected(frame)],
    answered: () => [],
  }
}
