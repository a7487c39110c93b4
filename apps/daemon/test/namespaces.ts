/**
 * Hosts on one switch, as network namespaces of Linux: daemons run inside, links are cut and healed, addresses change.
 *
 * Everything is in namespaces of its own, the switch too, so nothing of the machine's network is touched, and removing the
 * namespaces removes it all. What a killed run has left behind is removed by the next.
 *
 * @module
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where `ip netns exec` finds files that replace those in `/etc`. */
const NETNS_ETC = '/etc/netns'
const PREFIX = 'lattice'
const DEVICE = 'eth0'
const QUIET = [
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
  'net.ipv4.igmp_link_local_mcast_reports=0',
]

export interface Host {
  /** Of its namespace. */
  readonly name: string
  readonly address: () => string
  /** Pulls the cable: the host sees its link go down. */
  readonly unplug: () => Promise<void>
  readonly plugIn: () => Promise<void>
  /** Nothing passes, and the host does not see why. */
  readonly silence: () => Promise<void>
  readonly endSilence: () => Promise<void>
  /** Packets of the protocol that come by its link vanish without a word, as behind a firewall. */
  readonly drop: (protocol: Protocol) => Promise<void>
  readonly admit: (protocol: Protocol) => Promise<void>
  /** Gives it another address in place of the one it has. */
  readonly moveTo: (address: string) => Promise<void>
  /** Sends whatever leaves the link, and questions of DNS, to another host. */
  readonly useGateway: (gateway: Host) => Promise<void>
  /** Reads a file as a process of the host sees it. */
  readonly read: (path: string) => Promise<string>
}

export type Protocol = 'tcp' | 'udp'

export interface HostNetwork {
  readonly hosts: readonly Host[]
  /** Removes everything. Nothing may run inside any more. */
  readonly remove: () => Promise<void>
}

/** Why no namespaces can be made here; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  const probe = `${PREFIX}-${process.pid}-probe`
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' })
    execFileSync('ip', ['-n', probe, 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1'], {
      stdio: 'pipe',
    })
    return undefined
  } catch (error) {
    return `no right to make network namespaces: ${error instanceof Error ? error.message.trim() : String(error)}`
  } finally {
    try {
      execFileSync('ip', ['netns', 'del', probe], { stdio: 'pipe' })
    } catch {
      // It was not made.
    }
  }
}

let networks = 0

/** Makes `count` hosts with the addresses 10.88.0.1 and so on, and no route beyond their link. */
export async function createHostNetwork(count: number): Promise<HostNetwork> {
  await removeLeftovers()
  networks += 1
  const stem = `${PREFIX}-${process.pid}-${networks}`
  const hub = `${stem}-hub`
  const made: string[] = []
  const etc: string[] = []
  const remove = async (): Promise<void> => {
    for (const name of made.splice(0).reverse()) await ip('netns', 'del', name)
    for (const folder of etc.splice(0)) await rm(folder, { recursive: true, force: true })
  }
  const add = async (name: string): Promise<void> => {
    await ip('netns', 'add', name)
    made.push(name)
    // Packets are counted: those by which the system itself sets up IPv6, and tells switches of groups, would be among them.
    await inside(name, 'sysctl', '-qw', ...QUIET)
    await ip('-n', name, 'link', 'set', 'lo', 'up')
  }
  try {
    await add(hub)
    await ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
    await ip('-n', hub, 'link', 'set', 'br0', 'up')
    const hosts: Host[] = []
    for (let index = 1; index <= count; index += 1) {
      const name = `${stem}-${index}`
      await add(name)
      hosts.push(await plug({ hub, name, port: `port${index}`, address: `10.88.0.${index}`, etc }))
    }
    return { hosts, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

interface Plug {
  readonly hub: string
  readonly name: string
  readonly port: string
  readonly address: string
  readonly etc: string[]
}

async function plug({ hub, name, port, address, etc }: Plug): Promise<Host> {
  let current = address
  const onHub = (...args: readonly string[]): Promise<string> => ip('-n', hub, 'link', 'set', port, ...args)
  await ip('link', 'add', DEVICE, 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', hub)
  await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', DEVICE)
  await ip('-n', name, 'link', 'set', DEVICE, 'up')
  // What is for the host itself is looked up first of all: after it no rule could drop anything.
  await ip('-n', name, 'rule', 'add', 'pref', '100', 'lookup', 'local')
  await ip('-n', name, 'rule', 'del', 'pref', '0')
  await onHub('master', 'br0', 'up')
  return {
    name,
    address: () => current,
    unplug: async () => void (await onHub('down')),
    plugIn: async () => void (await onHub('up')),
    silence: async () => void (await onHub('nomaster')),
    endSilence: async () => void (await onHub('master', 'br0')),
    drop: async (protocol) => void (await ip('-n', name, 'rule', 'add', ...dropped(protocol))),
    admit: async (protocol) => void (await ip('-n', name, 'rule', 'del', ...dropped(protocol))),
    moveTo: async (next) => {
      await ip('-n', name, 'addr', 'add', `${next}/24`, 'dev', DEVICE)
      await ip('-n', name, 'addr', 'del', `${current}/24`, 'dev', DEVICE)
      // Linux takes the secondary addresses of a subnet away with the first.
      await ip('-n', name, 'addr', 'replace', `${next}/24`, 'dev', DEVICE)
      current = next
    },
    useGateway: async (gateway) => {
      await ip('-n', name, 'route', 'add', 'default', 'via', gateway.address())
      const folder = join(NETNS_ETC, name)
      await mkdir(folder, { recursive: true })
      etc.push(folder)
      await writeFile(join(folder, 'resolv.conf'), `nameserver ${gateway.address()}\n`)
    },
    read: (path) => inside(name, 'cat', path),
  }
}

function dropped(protocol: Protocol): readonly string[] {
  return ['pref', '10', 'iif', DEVICE, 'ipproto', protocol, 'blackhole']
}

/** The command and the arguments that run a program on a host. */
export function onHost(host: Host, command: string, args: readonly string[]): readonly [string, readonly string[]] {
  // `ip` becomes the program: its process is the program's own.
  return ['ip', ['netns', 'exec', host.name, command, ...args]]
}

async function ip(...args: readonly string[]): Promise<string> {
  return (await run('ip', args)).stdout
}

async function inside(name: string, ...command: readonly string[]): Promise<string> {
  return ip('netns', 'exec', name, ...command)
}

async function removeLeftovers(): Promise<void> {
  for (const line of (await ip('netns', 'list')).split('\n')) {
    const [name = ''] = line.split(' ')
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`, 'u').exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    // Another run may be removing it as well.
    await ip('netns', 'del', name).catch(() => undefined)
    await rm(join(NETNS_ETC, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
