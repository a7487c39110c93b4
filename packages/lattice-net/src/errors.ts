/**
 * Failures of the network that reach a caller.
 *
 * @module
 */
import {
  type IntentionId,
  LatticeError,
  type LatticeErrorCode,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import { net } from '@lattice/proto'
import type { BasesDisagree } from './bases.ts'
import { errorCodeOf } from './refusal.ts'

/** Characters of a peer's sentence that are shown: it is a stranger's text. */
const SHOWN_MESSAGE_LENGTH = 200

/** The peer said no, and why. What to do follows from the code. */
export class PeerRefused extends LatticeError {
  override readonly name = 'PeerRefused'
  readonly code: LatticeErrorCode
  override readonly detail: { readonly refusal: number; readonly message: string }

  constructor(refusal: number, message: string) {
    const shown = printable(message)
    super(`the peer refused: ${shown === '' ? refusalName(refusal) : shown}`)
    this.code = errorCodeOf(refusal)
    this.detail = { refusal, message: shown }
  }

  /** True for a refusal that asks to come back later. */
  get busy(): boolean {
    return this.detail.refusal === net.RefusalCode.BUSY || this.detail.refusal === net.RefusalCode.NOT_READY
  }
}

/** This side said no to the peer; the peer has been told. */
export class RefusedPeer extends LatticeError {
  override readonly name = 'RefusedPeer'
  readonly code: LatticeErrorCode
  override readonly detail: { readonly refusal: number }

  constructor(refusal: number, message: string) {
    super(`refused the peer: ${message}`)
    this.code = errorCodeOf(refusal)
    this.detail = { refusal }
  }
}

/** The peer broke the protocol. It is scored for it; asking it again unchanged will not help. */
export class PeerViolation extends LatticeError {
  override readonly name = 'PeerViolation'
  readonly code = 'PROTOCOL_VIOLATION'
  override readonly detail: { readonly why: string }

  constructor(why: string) {
    super(`the peer broke the protocol (${why}): check that it runs a compatible version`)
    this.detail = { why }
  }
}

/** What a peer served for a bootstrap does not hold together. Nothing of it is trusted; try another peer. */
export class BootstrapFailed extends LatticeError {
  override readonly name = 'BootstrapFailed'
  readonly code = 'BOOTSTRAP_FAILED'
  /** `codes`: how the sessions with the peers ended that did not give it. */
  override readonly detail: { readonly why: string; readonly codes: readonly LatticeErrorCode[] }

  constructor(
    why: string,
    { codes = [], ...options }: { readonly cause?: unknown; readonly codes?: readonly LatticeErrorCode[] } = {},
  ) {
    super(`the store could not be fetched (${why}): try again, or from another peer`, options)
    this.detail = { why, codes }
  }
}

/** The peer did nothing for longer than it may. */
export class PeerTooSlow extends LatticeError {
  override readonly name = 'PeerTooSlow'
  readonly code = 'DEADLINE_EXCEEDED'
  override readonly detail: { readonly deadlineMs: number; readonly waitingFor: string }

  constructor(deadlineMs: number, waitingFor: string) {
    super(`the peer did not answer within ${deadlineMs} ms (${waitingFor}): try again later`)
    this.detail = { deadlineMs, waitingFor }
  }
}

/**
 * What this node and the peer keep of the store's history has no beginning in common. Where `returning` is `us`, this node
 * has to fetch the store by its snapshot; where it is `peer`, that one has.
 */
export class BasesDiffer extends LatticeError {
  override readonly name = 'BasesDiffer'
  readonly code: 'PRUNED' | 'BASE_UNKNOWN'
  override readonly detail: {
    readonly returning: BasesDisagree['returning']
    /** The peer's; undefined where it keeps the whole history. */
    readonly base: string | undefined
  }
  readonly base: IntentionId | undefined

  constructor({ returning, base }: Pick<BasesDisagree, 'returning'> & { readonly base: IntentionId | undefined }) {
    super(BASES_DIFFER[returning].message)
    this.code = BASES_DIFFER[returning].code
    this.detail = { returning, base: base && toHex(base) }
    this.base = base
  }
}

const BASES_DIFFER = {
  us: {
    code: 'PRUNED',
    message: 'history that this node lacks was deleted by the others: the store has to be fetched by its snapshot',
  },
  peer: {
    code: 'BASE_UNKNOWN',
    message: 'the peer lacks history that was deleted here: it has to fetch the store by its snapshot',
  },
} as const

/** The store is not registered with the network. */
export class StoreNotRegistered extends LatticeError {
  override readonly name = 'StoreNotRegistered'
  readonly code = 'STORE_NOT_FOUND'
  override readonly detail: { readonly storeId: string }

  constructor(storeId: StoreId) {
    const id = toHex(storeId)
    super(`store ${id.slice(0, 16)} is not open on this node: open it first`)
    this.detail = { storeId: id }
  }
}

/** The peer is shut out for a while after misbehaving. */
export class PeerMuted extends LatticeError {
  override readonly name = 'PeerMuted'
  readonly code = 'PEER_UNREACHABLE'
  override readonly detail: { readonly peer: string; readonly retryAfterMs: number }

  constructor(peer: PublicKey, retryAfterMs: number) {
    const key = toHex(peer)
    super(`peer ${key.slice(0, 16)} broke the protocol and is shut out for ${Math.ceil(retryAfterMs / 1000)} s`)
    this.detail = { peer: key, retryAfterMs }
  }
}

/** The network service was closed. */
export class NetworkClosed extends LatticeError {
  override readonly name = 'NetworkClosed'
  readonly code = 'CLOSED'

  constructor() {
    super('the network is closed: start the node again')
  }
}

/** Something failed here that the peer is not to blame for. */
export class SessionFailed extends LatticeError {
  override readonly name = 'SessionFailed'
  readonly code = 'SYNC_FAILED'

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
  }
}

function refusalName(refusal: number): string {
  const named = Object.entries(net.RefusalCode).find(([, code]) => code === refusal)
  return named === undefined ? `code ${refusal}` : named[0].toLowerCase().replaceAll('_', ' ')
}

/** A stranger's text without control characters, cut to what is shown. */
export function printable(text: string): string {
  return text.slice(0, SHOWN_MESSAGE_LENGTH).replaceAll(/\p{Cc}|\p{Cf}/gu, '?')
}
