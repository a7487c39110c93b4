/**
 * How a node is, part by part: what is well is a finding, too.
 *
 * Pure: facts in, findings out.
 *
 * @module
 */
import type { DoctorSnapshot, PrivatePath } from './doctor-snapshot.ts'
import type { Reason } from './finding.ts'
import { clockReasons, diskReasons } from './node-reasons.ts'
import { durationText, listText, plural, sizeText } from './words.ts'

/** Permissions of anyone but the owner. */
const OTHERS = 0o077

/** In the order in which they are told. */
export function nodeChecks(snapshot: DoctorSnapshot): readonly Reason[] {
  return [
    versionsCheck(snapshot),
    privateCheck(snapshot.dataDir, { code: 'data_dir', name: 'the data directory', mode: '700', severity: 'warning' }),
    privateCheck(snapshot.identity, { code: 'identity', name: 'the identity key', mode: '600', severity: 'problem' }),
    ...diskChecks(snapshot),
    ...clockChecks(snapshot),
    networkCheck(snapshot),
    peersCheck(snapshot),
    storesCheck(snapshot),
  ]
}

function versionsCheck({ about, sqliteVersion }: DoctorSnapshot): Reason {
  const parts = about === undefined ? [] : [`lattice ${about.version}`, about.runtime]
  const crypto = about === undefined ? [] : [`${about.crypto} cryptography`]
  const all = [...parts, `SQLite ${sqliteVersion}`, ...crypto]
  return { severity: 'ok', code: 'versions', what: all.join(', '), detail: { ...about, sqlite: sqliteVersion } }
}

interface PrivateRule {
  readonly code: string
  readonly name: string
  readonly mode: string
  readonly severity: 'warning' | 'problem'
}

function privateCheck({ path, mode }: PrivatePath, { code, name, mode: wanted, severity }: PrivateRule): Reason {
  const octal = mode?.toString(8).padStart(4, '0')
  const detail = { path, ...(octal === undefined ? {} : { mode: octal }) }
  if (mode === undefined) {
    const what = `${name} ${path}: the system does not say who may use it`
    return { severity: 'info', code, what, remedy: 'see that only its owner may', detail }
  }
  if ((mode & OTHERS) === 0) {
    return { severity: 'ok', code, what: `${name} ${path} is its owner's alone (mode ${octal})`, detail }
  }
  const what = `${name} ${path} is open to others (mode ${octal})`
  return { severity, code, what, remedy: `run \`chmod ${wanted} '${path.replaceAll("'", `'\\''`)}'\``, detail }
}

function diskChecks({ disk }: DoctorSnapshot): readonly Reason[] {
  if (disk === undefined) {
    return [{ severity: 'info', code: 'disk', what: 'the system does not say how much room the disk has' }]
  }
  const low = diskReasons(disk)
  if (low.length > 0) return low
  const { freeBytes, totalBytes } = disk
  const what = `${sizeText(freeBytes)} of ${sizeText(totalBytes)} are free where the data directory is`
  return [{ severity: 'ok', code: 'disk', what, detail: { freeBytes, totalBytes } }]
}

function clockChecks({ clock, clockPeers }: DoctorSnapshot): readonly Reason[] {
  const wrong = clockReasons(clock)
  if (wrong.length > 0) return wrong
  const { aheadMs } = clock
  if (aheadMs === undefined) {
    return [
      { severity: 'info', code: 'clock', what: 'no connected peer says what time it is: the clock was not compared' },
    ]
  }
  const what = `the clock is within ${durationText(Math.abs(aheadMs) + 1)} of what ${plural(clockPeers, 'peer says', 'peers say')}`
  return [{ severity: 'ok', code: 'clock', what, detail: { aheadMs, peers: clockPeers } }]
}

function networkCheck({ hasNetwork, transport = '', addresses }: DoctorSnapshot): Reason {
  const code = 'network'
  if (!hasNetwork) {
    const what = 'this node runs without a network: it exchanges nothing with anyone'
    return { severity: 'warning', code, what, remedy: 'start it without `--offline`' }
  }
  const detail = { transport, addresses }
  if (addresses.length === 0) {
    const what = `the ${transport} transport knows no address of this node: peers cannot dial it, only be dialled`
    const remedy = 'check that a network is up, and that `--bind` names an address of this machine'
    return { severity: 'warning', code, what, remedy, detail }
  }
  const what = `peers are told to reach this node at ${listText(addresses, 4)} (${transport})`
  if (addresses.every(isLoopback)) {
    const only = `${what}: those are of this machine alone`
    const remedy = 'start it with `--bind` and an address that other machines reach'
    return { severity: 'warning', code, what: only, remedy, detail }
  }
  return { severity: 'ok', code, what, detail }
}

/** Leads to the machine it is read on. */
function isLoopback(address: string): boolean {
  return /(?:^|[^0-9.])127\.\d+\.\d+\.\d+(?:[^0-9.]|$)|\[::1\]|(?:^|[^a-z0-9.-])localhost(?:[^a-z0-9.-]|$)/iu.test(
    address,
  )
}

function peersCheck({ peers, hasNetwork, stores }: DoctorSnapshot): Reason {
  const { known, online } = peers
  const detail = { known, online }
  if (known === 0 && stores.length === 0)
    return { severity: 'info', code: 'peers', what: 'there is no store to share yet', detail }
  if (known === 0) {
    const what = 'no store has another peer: what is here is on this machine only'
    return { severity: 'warning', code: 'peers', what, remedy: 'invite one with `lattice peer invite`', detail }
  }
  const what = `${online} of ${plural(known, 'peer')} ${known === 1 ? 'is' : 'are'} online`
  if (online === known) return { severity: 'ok', code: 'peers', what, detail }
  const remedy = hasNetwork ? '`lattice why` says why the others are not' : 'start this node without `--offline`'
  return { severity: online === 0 ? 'warning' : 'info', code: 'peers', what, remedy, detail }
}

function storesCheck({ stores }: DoctorSnapshot): Reason {
  const open = stores.filter((each) => each.open !== undefined).length
  const failed = stores.filter(({ store }) => store.state === 'failed').length
  const detail = { known: stores.length, open, failed }
  const what = `${plural(stores.length, 'store')}, ${open} in use${failed === 0 ? '' : `, ${failed} failed`}`
  if (failed > 0) return { severity: 'problem', code: 'stores', what, remedy: 'see each of them below', detail }
  return { severity: 'ok', code: 'stores', what, detail }
}
