/**
 * The acts of a store's life: archive, destroy, leave, rejoin, delete.
 *
 * Each says what came of it here, and what the other nodes do about it. What cannot be undone asks first.
 *
 * @module
 */
import { idKey, isLatticeError, type LatticeErrorCode } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { confirm } from '../confirm.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT } from '../parse-option.ts'
import { type PeerNames, peerNames } from '../peer-names.ts'
import { printable } from '../render/display-text.ts'
import { storeLabel } from '../render/store-list.ts'
import { formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore, storeNow } from '../store-selection.ts'

interface LeaveOptions {
  readonly force?: boolean
}

interface DestroyOptions {
  readonly yes?: boolean
}

interface DeleteOptions {
  readonly yes?: boolean
  readonly force?: boolean
}

const YES = 'do it without asking'

export function addLifeCommands(store: Command, bind: Bind): void {
  store
    .command('archive')
    .description('close a child store on every node and keep its data; unarchive undoes it')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind((context, reference?: string) => archive(context, reference)))
  store
    .command('unarchive')
    .description('open an archived store again, on every node')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind((context, reference?: string) => unarchive(context, reference)))
  store
    .command('destroy')
    .description('end a root, or an archived child, for everybody and for good')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('-y, --yes', YES)
    .action(
      bind((context, reference: string | undefined, options: DestroyOptions) => destroy(context, reference, options)),
    )
  store
    .command('leave')
    .description('stop replicating a root, or a child with its own peers, with what is below it; the data stays')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--force', 'also when no other peer is known to hold everything')
    .action(bind((context, reference: string | undefined, options: LeaveOptions) => leave(context, reference, options)))
  store
    .command('rejoin')
    .description('take part again in a store that was left, from the data that is here')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind((context, reference?: string) => rejoin(context, reference)))
  store
    .command('delete')
    .description('remove the data of a store that was left, archived or destroyed from this node')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('-y, --yes', YES)
    .option('--force', 'also when no other peer is known to hold everything')
    .action(
      bind((context, reference: string | undefined, options: DeleteOptions) => deleteData(context, reference, options)),
    )
}

async function archive(context: CommandContext, reference: string | undefined): Promise<void> {
  const { id } = await context.store(reference)
  const store = await (await context.backend()).store.archive({ storeId: id }, { signal: context.signal })
  await tell(context, store, `archived ${describeStore(store)}`)
  await context.out.note(
    context.out.style.dim("every node closes it and keeps its data; 'store unarchive' opens it again"),
  )
}

async function unarchive(context: CommandContext, reference: string | undefined): Promise<void> {
  const { id } = await context.store(reference)
  const store = await (await context.backend()).store.unarchive({ storeId: id }, { signal: context.signal })
  const isHere = store.state === daemon.StoreState.ACTIVE
  await tell(context, store, `unarchived ${describeStore(store)}${isHere ? '' : ': its data is being fetched'}`)
}

async function destroy(
  context: CommandContext,
  reference: string | undefined,
  { yes = false }: DestroyOptions,
): Promise<void> {
  const before = await storeNow(context, reference)
  const below = await storesBelow(context, before)
  const what = `${describeStore(before)}${below === 0 ? '' : ` and the ${formatPlural(below, 'store')} below it`}`
  await confirm(context, {
    warning: `This ends ${what} for everybody. Each node stops serving it, says so, and deletes its data once all peers that write have said so. Nobody can undo it.`,
    verb: 'destroy',
    name: printable(storeLabel(before)),
    isGiven: yes,
  })
  // A store that is destroyed does not tell any more who its peers were.
  const names = await peerNames(context, before)
  const store = await (await context.backend()).store.destroy({ storeId: before.id }, { signal: context.signal })
  await tell(context, store, `destroyed ${describeStore(store)}`)
  await context.out.note(context.out.style.dim(afterDestroy(store, names)))
}

function afterDestroy(store: daemon.StoreInfo, names: PeerNames): string {
  if (store.awaiting.length === 0) {
    return store.hasData ? 'nobody else is awaited: its data is deleted now' : 'its data is deleted'
  }
  const who = store.awaiting.map((peer) => names(peer)).join(', ')
  return `waiting for ${formatPlural(store.awaiting.length, 'peer')} to acknowledge: ${who}; then its data is deleted`
}

async function leave(
  context: CommandContext,
  reference: string | undefined,
  { force = false }: LeaveOptions,
): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const { store: service } = await context.backend()
  const store = await hinted(
    service.leave({ storeId: id, force }, { signal }),
    'NOT_REPLICATED',
    "bring a peer online and 'store sync' first; --force leaves all the same, and keeps the data here",
  )
  await tell(context, store, `left ${describeStore(store)}`)
  const name = printable(storeLabel(store))
  await out.note(
    out.style.dim(
      `its data stays on this node: 'store rejoin ${name}' takes part again, 'store delete ${name}' removes it`,
    ),
  )
}

async function rejoin(context: CommandContext, reference: string | undefined): Promise<void> {
  const { id } = await context.store(reference)
  const store = await (await context.backend()).store.rejoin({ storeId: id }, { signal: context.signal })
  await tell(context, store, `rejoined ${describeStore(store)}`)
}

async function deleteData(
  context: CommandContext,
  reference: string | undefined,
  { yes = false, force = false }: DeleteOptions,
): Promise<void> {
  const { out, signal } = context
  const store = await storeNow(context, reference)
  const below = await storesBelow(context, store)
  const what = `${describeStore(store)}${below === 0 ? '' : ` and of the ${formatPlural(below, 'store')} below it`}`
  await confirm(context, {
    warning: `This removes the data of ${what} from this node. ${afterDelete(store)}`,
    verb: 'delete',
    name: printable(storeLabel(store)),
    isGiven: yes,
  })
  const { store: service } = await context.backend()
  const deleted = await hinted(
    service.deleteData({ storeId: store.id, confirmed: true, force }, { signal }),
    'NOT_REPLICATED',
    '--force deletes all the same: what is nowhere else is lost',
  )
  await out.message(daemon.DeleteStoreDataResponseSchema, deleted, () => {
    const more = deleted.stores > 1 ? ` and ${formatPlural(deleted.stores - 1, 'store')} below it` : ''
    return `deleted the data of ${describeStore(store)}${more}: ${formatSize(deleted.bytes)} freed`
  })
  await followChange(context, store)
}

/** What becomes of the store elsewhere, and how it is had again. */
function afterDelete({ state }: daemon.StoreInfo): string {
  switch (state) {
    case daemon.StoreState.ARCHIVED:
      return 'The other nodes keep theirs; it is fetched from them when the store is unarchived.'
    case daemon.StoreState.DESTROYED:
      return 'The store is destroyed: nothing brings it back.'
    default:
      return 'The other nodes keep theirs; to have it again, join with a new invite.'
  }
}

/** Stores below this one, at any depth. */
async function storesBelow({ backend, signal }: CommandContext, { id }: daemon.StoreInfo): Promise<number> {
  const { stores } = await (await backend()).store.list({}, { signal })
  const found = new Set([idKey(id)])
  // Roots come first and each is followed by what is below it; a listing in any other order is read again.
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const store of stores) if (found.has(idKey(store.parentId))) found.add(idKey(store.id))
  }
  return found.size - 1
}

async function tell(context: CommandContext, store: daemon.StoreInfo, text: string): Promise<void> {
  context.repl?.changed(store)
  await context.out.message(daemon.StoreInfoSchema, store, () => text)
}

/** In the REPL: the store that was selected may be listed no longer. */
async function followChange({ repl, backend, signal }: CommandContext, { id }: daemon.StoreInfo): Promise<void> {
  if (repl === undefined) return
  const { stores } = await (await backend()).store.list({}, { signal })
  const now = stores.find((store) => idKey(store.id) === idKey(id))
  if (now === undefined) repl.removed(id)
  else repl.changed(now)
}

/** The refusal `code` with a hint at the option that overrules it. */
async function hinted<T>(call: Promise<T>, code: LatticeErrorCode, hint: string): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (!isLatticeError(error) || error.code !== code) throw error
    throw new CommandFailed(code, error.message, { hint, detail: error.detail })
  }
}
