/**
 * How commands are typed, by example; shown at the end of a command's help. A test reads every one of them as a command.
 *
 * @module
 */
import { type Command, Help } from 'commander'

/** By the words of the command. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'node set-name': ['lattice node set-name laptop'],
  'node events': ['lattice --json node events'],
  'store create': [
    'lattice store create team',
    'lattice store create notes --parent team',
    'lattice store create board --parent team --strategy independent',
  ],
  'store list': ['lattice store list --tree', 'lattice --json store list'],
  'store status': ['lattice store status team/notes -v'],
  'store use': ['store use team/notes'],
  'store set-name': ['lattice --store team/notes store set-name minutes'],
  'store activate-schema': ['lattice --store team/tally store activate-schema 2'],
  'store join': ['lattice store join TOKEN'],
  'store archive': ['lattice store archive team/notes'],
  'store unarchive': ['lattice store unarchive team/notes'],
  'store destroy': ['lattice store destroy team/notes', 'lattice store destroy team/notes --yes'],
  'store leave': ['lattice store leave team', 'lattice store leave team --force'],
  'store rejoin': ['lattice store rejoin team'],
  'store delete': ['lattice store delete team', 'lattice store delete team --yes --force'],
  'store verify': ['lattice store verify team --full'],
  'store repair': ['lattice store repair team', 'lattice store repair team --without-peer'],
  'store prune': [
    'lattice store prune team --dry-run',
    'lattice store prune team --wait',
    'lattice store prune team --keep-days 30 --yes',
    'lattice store prune team --policy keep-days=90',
    'lattice store prune team --policy manual',
  ],
  'store snapshot': ['lattice store snapshot team', 'lattice store snapshot team --info'],
  'store resubmit': [
    'lattice store resubmit team',
    'lattice store resubmit team --drop',
    'lattice store resubmit team --drop --only 3f2a9c01 --only b2d4e6f8',
  ],
  'store debug stranded': ['lattice --store team store debug stranded'],
  'store debug epochs': ['lattice --store team store debug epochs -n 10'],
  'store history': ['lattice --store team store history -n 20'],
  'store import': [
    'lattice --store team store import data.jsonl',
    "lattice --store team store import UnicodeData.txt --separator ';'",
  ],
  'store export': [
    'lattice --store team store export team.jsonl',
    'lattice store export - --prefix users/',
    "lattice --store team store export table.txt --separator ';' --force",
  ],
  'store debug witness': ['lattice store debug witness --from 100 -n 20'],
  'store debug rejections': ['lattice store debug rejections -n 20'],
  'store debug intention': ['lattice store debug intention 3f2a9c01'],
  'store debug branch': ['lattice store debug branch 3f2a9c01 b2d4e6f8 --causal'],
  'store debug forks': ['lattice --json store debug forks'],
  'peer list': ['lattice --store team peer list'],
  'peer invite': [
    'lattice --store team peer invite',
    'lattice peer invite --uses 3 --expires 7d --role reader',
    'lattice peer invite --qr',
  ],
  'peer cancel-invite': ['lattice --store team peer cancel-invite 3f2a'],
  'peer role': ['lattice --store team peer role nas admin', 'lattice peer role 3f2a9c01 writer'],
  'peer dormant': ['lattice peer dormant nas', 'lattice peer dormant nas --back'],
  'peer set-name': ['lattice peer set-name 3f2a9c01 nas', 'lattice peer set-name laptop'],
  why: ['lattice why', 'lattice why team', 'lattice why team nas'],
  doctor: ['lattice doctor', 'lattice --json doctor'],
  backup: ['lattice backup /mnt/usb/lattice-monday', 'lattice backup ./copy --no-identity'],
  restore: [
    'lattice restore --verify /mnt/usb/lattice-monday',
    'lattice --data-dir ~/lattice restore /mnt/usb/lattice-monday',
    'lattice restore ./copy --to ~/lattice --identity ~/keys/identity.key',
  ],
  rpc: ['lattice rpc NodeService.GetStatus', 'lattice rpc StoreService.Resolve reference=team'],
  'rpc describe': ['lattice rpc describe', 'lattice rpc describe PutRequest'],
  use: ['use team/notes'],
  unsub: ['unsub 1', 'unsub all'],
  daemon: ['lattice daemon --data-dir ~/lattice --name laptop', 'lattice daemon --offline'],
  repl: ['lattice --store team repl'],
  help: ['lattice help store create', 'lattice help invites', 'lattice help put'],
}

/** Gives the command its examples, however its help is asked for. */
export function showExamples(command: Command): void {
  const examples = EXAMPLES[commandPath(command)]
  if (examples !== undefined) appendToHelp(command, ['Examples:', ...examples.map((each) => `  ${each}`)].join('\n'))
}

/** Ends the help of a command with `text`. */
export function appendToHelp(command: Command, text: string): void {
  command.configureHelp({
    formatHelp(about, helper) {
      return `${Help.prototype.formatHelp.call(this, about, helper).trimEnd()}\n\n${text}\n`
    },
  })
}

/** `store debug tips`: the words that lead to the command; none for the program itself. */
export function commandPath(command: Command): string {
  const { parent } = command
  return parent === null ? '' : `${commandPath(parent)} ${command.name()}`.trim()
}
