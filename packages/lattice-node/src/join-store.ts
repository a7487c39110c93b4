/**
 * The joiner's side: from a token to a live store.
 *
 * Nothing is recorded before the inviter has let this node in, so a refused token leaves no trace. From then on the store
 * is in `meta.db` and goes on by itself, whatever happens to the caller or the process. If the process ends right between
 * the two, the same token lets this node in again.
 *
 * @module
 */
import {
  type AbortSignal,
  createAbortController,
  equalBytes,
  isLatticeError,
  type LatticeErrorCode,
  type PublicKey,
} from '@lattice/model'
import type { JoinGrant } from '@lattice/net'
import { StreamLost } from '@lattice/net-types'
import { NodeError, shortId, tokenExpired, tokenMalformed } from './errors.ts'
import { decodeInviteToken, type InviteToken } from './invite-token.ts'
import type { NodeContext } from './node-context.ts'
import type { JoinOptions } from './node-types.ts'
import { notAdmitted, storeOutOfUse } from './life-errors.ts'
import { longerPauseMs, RETRY_FIRST_MS } from './retry-pauses.ts'
import { createWakeUp } from './wake-up.ts'
import { isOnlyDeclaredEnded, outOfUse, type StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { toFailure } from './failure.ts'

/** Times a token is shown when connections break before the answer. */
const MAX_REDEEM_ATTEMPTS = 3

/** Joins the store of `text`; resolves with its id once it is in use. */
export async function joinStore(
  context: NodeContext,
  manager: StoreManager,
  { text, options }: { readonly text: string; readonly options: JoinOptions },
): Promise<InviteToken['storeId']> {
  const token = readToken(context, text)
  const { storeId } = token
  const signal = options.signal ?? createAbortController().signal
  signal.throwIfAborted()
  try {
    await becomePeer(context, manager, { token, options, signal })
    await awaitReady(context, manager, { token, options, signal })
  } catch (error) {
    if (!signal.aborted) context.publish({ kind: 'join_failed', storeId, failure: toFailure(error) })
    throw error
  }
  return storeId
}

function readToken(context: NodeContext, text: string): InviteToken {
  const decoded = decodeInviteToken(text)
  if (!decoded.ok) throw tokenMalformed(decoded.error.message, { reason: decoded.error.code })
  const token = decoded.value
  if (equalBytes(token.inviter, context.id)) {
    throw new NodeError('TOKEN_FOREIGN', 'this node made the token itself: give it to another node')
  }
  if (token.expiresAt <= context.clock.wallMs()) throw tokenExpired(token.expiresAt)
  return token
}

interface Joining {
  readonly token: InviteToken
  readonly options: JoinOptions
  readonly signal: AbortSignal
}

/** Is let in by the inviter, and records the store. A root on its way here only has to be waited for. */
async function becomePeer(context: NodeContext, manager: StoreManager, joining: Joining): Promise<void> {
  const { token } = joining
  const known = manager.entry(token.storeId)
  if (known?.record.state === 'bootstrapping' && known.record.parentId === undefined) return
  // One that was left, or that its parent declares, is joined anew: no use is lost where this node is a peer already.
  if (known !== undefined && !isJoinable(known)) throw alreadyHere(known)
  const grant = await letIn(context, joining, known)
  const now = context.clock.wallMs()
  context.meta.saveAddresses(token.inviter, token.addresses, now)
  for (const { peer, addresses } of grant.peers) context.meta.saveAddresses(peer, addresses, now)
  const peers = [token.inviter, ...grant.peers.map(({ peer }) => peer)]
  if (known?.revoked === true) {
    // Removed before anything came, it has nothing to sync with.
    const isEmpty = known.open?.kernel.stats().witnessCount === 0
    return isEmpty ? manager.fetchAnew(token.storeId, peers) : undefined
  }
  if (known !== undefined) return manager.resume(token.storeId, peers)
  manager.add(
    {
      id: token.storeId,
      parentId: undefined,
      storeType: grant.storeType,
      state: 'bootstrapping',
      createdAt: now,
      creation: undefined,
    },
    peers,
  )
}

/**
 * A store that this node was removed from is in use as such: it learns of the new admission as of anything else, and asks for
 * it. Rejects with `NOT_ADMITTED` once who gave it says that it does not count, since whoever was removed meanwhile admits
 * nobody; or with `signal.reason`.
 */
async function refusedByInviter(
  context: NodeContext,
  manager: StoreManager,
  { token, signal }: Pick<Joining, 'token' | 'signal'>,
): Promise<never> {
  const { storeId } = token
  const wakeUp = createWakeUp(context.scheduler)
  for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = longerPauseMs(pauseMs)) {
    const isOut = manager.entry(storeId)?.revoked === true
    if (isOut && (await isRefused(context, manager, { token, signal }))) throw notAdmitted(storeId)
    await wakeUp.wait(pauseMs, signal)
  }
}

/** Syncs with the inviter, then with all that are connected. Rejects with `signal.reason` alone. */
async function isRefused(
  { network, logger, meta }: NodeContext,
  manager: StoreManager,
  { token: { storeId, inviter }, signal }: Pick<Joining, 'token' | 'signal'>,
): Promise<boolean> {
  // Who is removed itself knows nobody of the store any more.
  const isNo = (code: LatticeErrorCode): boolean =>
    code === 'REVOKED' || (code === 'STORE_NOT_FOUND' && !isAdminOf(manager.entry(storeId), inviter))
  const hint = { peer: inviter, addresses: meta.addresses(inviter) }
  try {
    for (const peers of [[hint], undefined]) {
      for await (const outcome of network()?.sync(storeId, signal, peers) ?? []) {
        logger.debug('join.synced', { storeId, peer: outcome.peer, kind: outcome.kind })
        const saysSo = outcome.kind === 'failed' && isNo(outcome.error.code)
        if (saysSo && equalBytes(outcome.peer, inviter)) return true
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    // It comes with the next exchange.
    logger.debug('join.sync_stopped', { storeId, error })
  }
  return false
}

function isAdminOf(entry: StoreEntry | undefined, peer: PublicKey): boolean {
  return entry?.open?.kernel.membership()?.isAdmin(peer) === true
}

/** An inviter that does not have the store in use either bears out that it ended. */
async function letIn(context: NodeContext, joining: Joining, known: StoreEntry | undefined): Promise<JoinGrant> {
  try {
    return await redeem(context, joining)
  } catch (error) {
    const isEnded = known !== undefined && isOnlyDeclaredEnded(known)
    throw isEnded && isLatticeError(error) && error.code === 'TOKEN_UNKNOWN' ? alreadyHere(known) : error
  }
}

function alreadyHere(entry: StoreEntry): NodeError {
  const { id, state } = entry.record
  const cause = outOfUse(entry)
  if (cause !== undefined) return storeOutOfUse(id, { state: cause.record.state, cause: cause.record.id })
  const what = `the store ${shortId(id)} is on this node already: there is nothing to join`
  return new NodeError('STORE_EXISTS', what, { detail: { state } })
}

/** It was left, or is only declared: whose it is and that it is served here, the token says. */
function isJoinable(entry: StoreEntry): boolean {
  const { state } = entry.record
  return entry.revoked || state === 'left' || state === 'bootstrapping' || isOnlyDeclaredEnded(entry)
}

async function redeem(context: NodeContext, { token, options, signal }: Joining): Promise<JoinGrant> {
  const network = context.network()
  if (network === undefined) throw new NodeError('NOT_SUPPORTED', 'this node has no network: start it with a transport')
  options.onProgress?.({ kind: 'stage', stage: 'connecting' })
  const { inviter, addresses, storeId, secret } = token
  let isReached = false
  const onConnected = (): void => {
    if (!isReached) options.onProgress?.({ kind: 'stage', stage: 'redeeming' })
    isReached = true
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await network.join({ inviter, addresses, storeId, secret, name: context.nodeName(), onConnected }, signal)
    } catch (error) {
      // The answer was lost on the way, not refused: asking again costs no use.
      if (error instanceof StreamLost && attempt < MAX_REDEEM_ATTEMPTS && !signal.aborted) continue
      throw isReached ? translateRefusal(error) : translateSilence(error, inviter)
    }
  }
}

/** Nobody was there to refuse. */
function translateSilence(error: unknown, inviter: PublicKey): unknown {
  if (!isLatticeError(error) || !SILENCE.has(error.code)) return error
  const message = `the node that made the token (${shortId(inviter)}) does not answer: see that it runs and can be reached from here, then join again`
  return new NodeError('PEER_UNREACHABLE', message, { cause: error, detail: error.detail })
}

const SILENCE: ReadonlySet<LatticeErrorCode> = new Set(['PEER_UNREACHABLE', 'DEADLINE_EXCEEDED'])

function translateRefusal(error: unknown): unknown {
  if (!isLatticeError(error) || error.code !== 'STORE_NOT_FOUND') return error
  const message = 'the token was made by another node than the one it leads to: ask for a new one'
  return new NodeError('TOKEN_FOREIGN', message, { cause: error })
}

async function awaitReady(
  context: NodeContext,
  manager: StoreManager,
  { token, options, signal }: Joining,
): Promise<void> {
  const { storeId } = token
  options.onProgress?.({ kind: 'stage', stage: 'bootstrapping' })
  const cancel = manager.onBootstrap(storeId, (done, total) =>
    options.onProgress?.({ kind: 'bootstrap', storeId, done, total }),
  )
  const ended = createAbortController()
  const end = (): void => ended.abort(signal.reason)
  signal.addEventListener('abort', end, { once: true })
  const refused = refusedByInviter(context, manager, { token, signal: ended.signal })
  try {
    await Promise.race([manager.whenReady(storeId, ended.signal), refused])
  } finally {
    signal.removeEventListener('abort', end)
    end()
    cancel()
    await refused.catch(() => undefined)
  }
}
