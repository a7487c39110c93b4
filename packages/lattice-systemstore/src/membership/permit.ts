/**
 * Whether a peer may make an epoch on top of all that is known, for whoever is about to sign one.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import type { EpochPermission, EpochWish, Removal } from '@lattice/store-base'
import { ADMIN_LEVEL, WRITER_LEVEL } from './grants-graph.ts'
import { hasSeveralHeads, requiredAcks } from './judge-epochs.ts'
import { levelOf } from './records.ts'
import type { Resolved } from './resolve.ts'

export function permitEpoch(resolved: Resolved, author: PublicKey, wish: EpochWish): EpochPermission {
  const { graph, standing, states, view } = resolved
  const self = graph.numberOf(author)
  const isActive = self !== undefined && states.isActive(self)
  const isAdmin = isActive && (states.levelOf(self) ?? 0) >= ADMIN_LEVEL
  const allowed = (removals: readonly Removal[] = []): EpochPermission => {
    const cuts = removals.flatMap(({ peer, remains }) => {
      const number = graph.numberOf(peer)
      return number === undefined ? [] : [{ peer: number, level: levelOf(remains) }]
    })
    return { kind: 'allowed', requiredAcks: requiredAcks(graph, { author: self, cuts, states }) }
  }
  switch (wish.kind) {
    case 'initial':
      return isAdmin ? allowed() : refused('not_admin')
    case 'prune':
      if (!isAdmin) return refused('not_admin')
      return wish.below === undefined || view.faultOf(wish.below) === undefined ? allowed() : refused('below_unknown')
    case 'membership':
      return permitRemovals(resolved, { self, isAdmin, removals: wish.removals }) ?? allowed(wish.removals)
    case 'join_of_epochs':
      if (!isActive) return refused('not_a_peer')
      return hasSeveralHeads(graph, standing.standing) ? allowed() : refused('nothing_to_join')
    case 'parent':
      // Peers are the store's own: nobody follows a parent here.
      return refused('not_a_peer')
    case 'set_aside':
      return refused('aside_unknown')
  }
}

/** What is against it; undefined for nothing. */
function permitRemovals(
  { graph, states }: Resolved,
  {
    self,
    isAdmin,
    removals,
  }: { readonly self: number | undefined; readonly isAdmin: boolean; readonly removals: readonly Removal[] },
): EpochPermission | undefined {
  const targets = removals.map(({ peer, remains }) => ({ peer: graph.numberOf(peer), left: levelOf(remains) }))
  const isOfItself = self !== undefined && targets.length > 0 && targets.every(({ peer }) => peer === self)
  if (self === undefined) return refused('not_a_peer')
  if (isOfItself ? (states.levelOf(self) ?? 0) < WRITER_LEVEL : !isAdmin) {
    return refused(isOfItself ? 'not_a_peer' : 'not_admin')
  }
  if (targets.length === 0) return refused('nothing_to_remove')
  for (const { peer, left } of targets) {
    const level = peer === undefined ? undefined : states.levelOf(peer)
    if (level === undefined) return refused('peer_unknown')
    if (level <= left) return refused('nothing_to_remove')
  }
  return undefined
}

export function refused(code: Extract<EpochPermission, { kind: 'refused' }>['code']): EpochPermission {
  return { kind: 'refused', code }
}
