/**
 * Every way a node refuses or fails, each as one sentence that says who must do what.
 *
 * One class carries them: callers act on `code`, people read the sentence, and the sentences stand side by side here.
 *
 * @module
 */
import { LatticeError, type LatticeErrorCode, type PublicKey, type StoreId, toHex } from '@lattice/model'

/** A node could not do what was asked. `code` says what to do about it. */
export class NodeError extends LatticeError {
  override readonly name = 'NodeError'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>>

  constructor(code: LatticeErrorCode, message: string, { detail = {}, cause }: NodeErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.detail = detail
  }
}

/** Facts to act on, and what was thrown below. */
export interface NodeErrorOptions {
  readonly detail?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** Hex digits of an id in a sentence: enough to tell two apart. */
const SHORT_ID_DIGITS = 12

/** The beginning of an id or key, as sentences show it. */
export function shortId(id: Uint8Array): string {
  return toHex(id).slice(0, SHORT_ID_DIGITS)
}

export function dataDirLocked(path: string, pid: number | undefined): NodeError {
  const holder = pid === undefined ? 'another process' : `process ${pid}`
  return new NodeError(
    'DATA_DIR_LOCKED',
    `the data directory ${path} is in use by ${holder}: stop it, or choose another directory`,
    { detail: { path, ...(pid === undefined ? {} : { pid }) } },
  )
}

export function dataDirUnusable(path: string, why: string, cause?: unknown): NodeError {
  return new NodeError('DATA_DIR_UNUSABLE', `the data directory ${path} cannot be used: ${why}`, {
    detail: { path },
    cause,
  })
}

export function identityUnreadable(path: string, why: string, cause?: unknown): NodeError {
  return new NodeError('IDENTITY_UNREADABLE', `the identity key ${path} cannot be read: ${why}`, {
    detail: { path },
    cause,
  })
}

export function identityExposed(path: string, mode: number): NodeError {
  const octal = mode.toString(8).padStart(4, '0')
  return new NodeError(
    'IDENTITY_EXPOSED',
    `the identity key ${path} is open to others (mode ${octal}): run \`chmod 600 ${path}\`, and make a new identity if someone may have read it`,
    { detail: { path, mode: octal } },
  )
}

export function identityDamaged(path: string, bytes: number): NodeError {
  return new NodeError(
    'IDENTITY_DAMAGED',
    `the identity key ${path} has ${bytes} bytes instead of 32: restore it from a backup, or remove it together with the data directory to begin anew`,
    { detail: { path, bytes } },
  )
}

export function identityMissing(path: string): NodeError {
  return new NodeError(
    'IDENTITY_DAMAGED',
    `the identity key ${path} is missing, though this directory holds a node: restore it from a backup`,
    { detail: { path } },
  )
}

export function identityForeign(
  path: string,
  { owner, found }: { readonly owner: PublicKey; readonly found: PublicKey },
): NodeError {
  return new NodeError(
    'IDENTITY_FOREIGN',
    `the identity key ${path} is of node ${shortId(found)}, but this directory belongs to node ${shortId(owner)}: put its own key back`,
    { detail: { path, owner: toHex(owner), found: toHex(found) } },
  )
}

export function metaMissing(path: string): NodeError {
  return new NodeError(
    'DATABASE_DAMAGED',
    `the inventory ${path} is missing, though this directory holds stores: restore it from a backup`,
    { detail: { path } },
  )
}

export function repairUnderWay(storeId: StoreId): NodeError {
  return new NodeError('STORE_NOT_READY', `the store ${shortId(storeId)} is being repaired: wait until it is`, {
    detail: { storeId: toHex(storeId) },
  })
}

export interface Unrepaired {
  readonly lost: number
  readonly total: number
  readonly goodBefore: number
  readonly why: string
}

/** Nothing was changed: what cannot be read may be nowhere else. */
export function repairNeedsPeer(
  storeId: StoreId,
  { lost, total, goodBefore, why }: Unrepaired,
  cause?: unknown,
): NodeError {
  const what = total === 0 ? 'its log cannot be read at all' : `${lost} of ${total} records are damaged`
  return new NodeError(
    'LOG_DAMAGED',
    `the store ${shortId(storeId)} was left as it is: ${what}, and ${why}. Bring a peer that has the store online and repair again`,
    { detail: { storeId: toHex(storeId), lost, total, goodBefore }, cause },
  )
}

export function storeNotFound(reference: string): NodeError {
  return new NodeError(
    'STORE_NOT_FOUND',
    `there is no store \`${reference}\` here: list the stores to see their names`,
    {
      detail: { reference },
    },
  )
}

export function storeAmbiguous(reference: string, candidates: readonly string[]): NodeError {
  return new NodeError(
    'STORE_AMBIGUOUS',
    `\`${reference}\` fits ${candidates.length} stores (${candidates.join(', ')}): give more of the id, or the path`,
    { detail: { reference, candidates } },
  )
}

export function storeNotReady(storeId: StoreId, state: string): NodeError {
  return new NodeError(
    'STORE_NOT_READY',
    `the store ${shortId(storeId)} is ${state}, not ready for use: try again once it is active`,
    {
      detail: { storeId: toHex(storeId), state },
    },
  )
}

/** The store is known but did not open; carries the code of what went wrong. */
export function storeFailed(
  storeId: StoreId,
  failure: { readonly code: LatticeErrorCode; readonly message: string },
): NodeError {
  return new NodeError(failure.code, `the store ${shortId(storeId)} cannot be used: ${failure.message}`, {
    detail: { storeId: toHex(storeId) },
  })
}

export function storeTypeUnknown(storeType: string, known: readonly string[]): NodeError {
  return new NodeError(
    'STORE_TYPE_UNKNOWN',
    `this node has nothing that opens stores of type \`${storeType}\`: use one of ${known.join(', ') || '(none)'}, or install what provides it`,
    { detail: { storeType, known } },
  )
}

export function invalidArgument(message: string, detail: Readonly<Record<string, unknown>> = {}): NodeError {
  return new NodeError('INVALID_ARGUMENT', message, { detail })
}

export function nodeClosed(): NodeError {
  return new NodeError('CLOSED', 'the node is closed: start it again')
}

export function notAdmin(storeId: StoreId, act: string): NodeError {
  return new NodeError('NOT_ADMIN', `this node may not ${act}: ask an admin of store ${shortId(storeId)}`, {
    detail: { storeId: toHex(storeId) },
  })
}

export function methodNotFound(kind: 'method' | 'stream', name: string, known: readonly string[]): NodeError {
  return new NodeError(
    kind === 'method' ? 'METHOD_NOT_FOUND' : 'STREAM_NOT_FOUND',
    `the store has no ${kind} \`${name}\`: it has ${known.join(', ') || 'none'}`,
    { detail: { [kind]: name, known } },
  )
}

export function tokenMalformed(why: string, detail: Readonly<Record<string, unknown>> = {}): NodeError {
  return new NodeError('TOKEN_MALFORMED', why, { detail })
}

export function tokenExpired(expiresAt: number): NodeError {
  return new NodeError('TOKEN_EXPIRED', 'the token has expired: ask for a new one', { detail: { expiresAt } })
}

export function peerNotReached(peer: PublicKey, cause: unknown): NodeError {
  return new NodeError(
    'PEER_UNREACHABLE',
    `the inviting node ${shortId(peer)} cannot be reached: check that it runs and that its addresses lead to it`,
    {
      detail: { peer: toHex(peer) },
      cause,
    },
  )
}

export function peerNotFound(reference: string): NodeError {
  return new NodeError('PEER_NOT_FOUND', `there is no peer \`${reference}\` here: list the peers to see who they are`, {
    detail: { reference },
  })
}

export function peerAmbiguous(
  reference: string,
  { count, candidates }: { readonly count: number; readonly candidates: readonly string[] },
): NodeError {
  return new NodeError(
    'INVALID_ARGUMENT',
    `\`${reference}\` fits ${count} peers (${candidates.join(', ')}): give more of the key`,
    { detail: { reference, candidates } },
  )
}

export function inviteNotFound(prefix: string): NodeError {
  return new NodeError('INVITE_NOT_FOUND', `no invite of this store begins with \`${prefix}\`: list the invites`, {
    detail: { prefix },
  })
}

export function inviteAmbiguous(
  prefix: string,
  { count, candidates }: { readonly count: number; readonly candidates: readonly string[] },
): NodeError {
  return new NodeError(
    'INVALID_ARGUMENT',
    `\`${prefix}\` fits ${count} invites (${candidates.join(', ')}): give more of the hash`,
    { detail: { prefix, candidates } },
  )
}
