/**
 * Findings as people read them: under what they are about, with a mark for how grave each is, and what to do below it.
 *
 * @module
 */
import { idKey } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { formatId } from './bytes-text.ts'
import { printable } from './display-text.ts'
import type { Paint, Style } from './style.ts'
import { formatPlural } from './units.ts'
import { wrapText } from './wrap-text.ts'

export interface FindingsTextOptions {
  readonly style: Style
  readonly full: boolean
  readonly width: number | undefined
}

const MARK_COLUMNS = 4

/** Each group under its heading: the node, its peers, then store by store in the order in which they are met. */
export function findingsText(findings: readonly daemon.Finding[], options: FindingsTextOptions): string {
  return [...groupFindings(findings)]
    .map((group) =>
      [headingOf(group, options), ...byPeer(group).flatMap((finding) => findingLines(finding, options))].join('\n'),
    )
    .join('\n\n')
}

/** `2 problems, 1 warning`; undefined where there is neither. */
export function countText(findings: readonly daemon.Finding[]): string | undefined {
  const count = (severity: daemon.Severity): number => findings.filter((each) => each.severity === severity).length
  const [problems, warnings] = [count(daemon.Severity.PROBLEM), count(daemon.Severity.WARNING)]
  const parts = [
    ...(problems > 0 ? [formatPlural(problems, 'problem')] : []),
    ...(warnings > 0 ? [formatPlural(warnings, 'warning')] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

type Group = readonly [daemon.Finding, ...daemon.Finding[]]

function groupFindings(findings: readonly daemon.Finding[]): Iterable<Group> {
  const groups = new Map<string, Group>()
  // What is of no one store goes first.
  const ordered = findings.toSorted((a, b) => rankOf(a) - rankOf(b))
  for (const finding of ordered) {
    const key = rankOf(finding) < 2 ? String(rankOf(finding)) : idKey(finding.storeId)
    const known = groups.get(key)
    groups.set(key, known === undefined ? [finding] : [...known, finding])
  }
  return groups.values()
}

function rankOf({ storeId, peer }: daemon.Finding): 0 | 1 | 2 {
  if (storeId.length > 0) return 2
  return peer.length > 0 ? 1 : 0
}

function headingOf([first]: Group, { style, full }: FindingsTextOptions): string {
  const rank = rankOf(first)
  if (rank === 0) return style.strong('this node')
  if (rank === 1) return style.strong('peers')
  const id = formatId(first.storeId, full)
  const { storePath } = first
  return storePath === '' ? style.strong(id) : `${style.strong(printable(storePath))}  ${style.dim(id)}`
}

/** What is of the store itself, then peer by peer in the order in which they are met. */
function byPeer(group: Group): readonly daemon.Finding[] {
  const peers = new Map<string, daemon.Finding[]>()
  for (const finding of group) {
    const key = finding.peer.length === 0 ? '' : idKey(finding.peer)
    peers.set(key, [...(peers.get(key) ?? []), finding])
  }
  const own = peers.get('') ?? []
  peers.delete('')
  return [...own, ...[...peers.values()].flat()]
}

function findingLines(
  { severity, what, remedy }: daemon.Finding,
  { style, width }: FindingsTextOptions,
): readonly string[] {
  const { mark, paint } = markOf(severity, style)
  const columns = width === undefined ? undefined : width - MARK_COLUMNS
  const [first = '', ...others] = wrapText(printable(what), columns)
  const below = ' '.repeat(MARK_COLUMNS)
  const lines = [`  ${paint(mark)} ${first}`, ...others.map((line) => `${below}${line}`)]
  // What is well asks for nothing.
  if (remedy === '' || severity === daemon.Severity.OK) return lines
  return [...lines, ...wrapText(`→ ${printable(remedy)}`, columns).map((line) => `${below}${style.dim(line)}`)]
}

function markOf(severity: daemon.Severity, style: Style): { readonly mark: string; readonly paint: Paint } {
  switch (severity) {
    case daemon.Severity.PROBLEM:
      return { mark: '✗', paint: style.bad }
    case daemon.Severity.WARNING:
      return { mark: '!', paint: style.warn }
    case daemon.Severity.OK:
      return { mark: '✓', paint: style.good }
    case daemon.Severity.INFO:
    default:
      return { mark: '·', paint: style.dim }
  }
}
