/**
 * Creating, listing, choosing and naming stores.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { UsageError } from '../errors.ts'
import { formatId } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import { storeStateText, storeTreeText } from '../render/store-list.ts'
import { renderTable } from '../render/table.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

interface CreateOptions {
  readonly type?: string
  readonly root?: boolean
  readonly parent?: string
}

interface ListOptions {
  readonly tree?: boolean
}

export function addLifecycleCommands(store: Command, bind: Bind): void {
  store
    .command('create')
    .description('create a store: a root, or the child of another')
    .argument('[name]', 'what to call it', '')
    .option('--type <type>', 'store type (default: core:rootstore, core:kvstore for a child)')
    .addOption(new Option('--root', 'a root store, joined by invite (the default)').conflicts('parent'))
    .option('--parent <store>', 'a child of this store')
    .action(bind((context, name: string, options: CreateOptions) => createStore(context, name, options)))
  store
    .command('list')
    .description('all stores of this node')
    .option('--tree', 'children below their parents')
    .action(bind((context, options: ListOptions) => listStores(context, options)))
  store
    .command('use')
    .description('choose the store of the commands to come (in the REPL)')
    .argument('<store>')
    .action(bind((context, reference: string) => useStore(context, reference)))
  store
    .command('set-name')
    .description('change the name of the selected store')
    .argument('<name>')
    .action(bind((context, name: string) => setName(context, name)))
}

async function createStore(context: CommandContext, name: string, options: CreateOptions): Promise<void> {
  const { out, signal } = context
  const backend = await context.backend()
  const parentId = options.parent === undefined ? new Uint8Array() : (await context.store(options.parent)).id
  const info = await backend.store.create({ name, storeType: options.type ?? '', parentId }, { signal })
  await out.message(
    daemon.StoreInfoSchema,
    info,
    () => `created ${printable(info.storeType)} store ${describeStore(info)}\nid ${toHex(info.id)}`,
  )
}

async function listStores({ out, backend, signal }: CommandContext, { tree = false }: ListOptions): Promise<void> {
  const response = await (await backend()).store.list({}, { signal })
  await out.message(daemon.ListStoresResponseSchema, response, () => {
    if (response.stores.length === 0)
      return "no stores: create one with 'store create NAME', or join one with 'store join TOKEN'"
    return tree ? storeTreeText(response.stores, out) : listText(response.stores, out)
  })
}

function listText(stores: readonly daemon.StoreInfo[], out: CommandContext['out']): string {
  return renderTable({
    columns: [{ header: 'ID' }, { header: 'TYPE' }, { header: 'STATE' }, { header: 'STORE' }],
    rows: stores.map((store) => [
      { text: formatId(store.id, out.full), paint: out.style.name },
      store.storeType,
      storeStateText(store, out.style),
      store.path === '' ? store.name : store.path,
    ]),
    style: out.style,
    width: out.width,
  })
}

/** `use STORE`: what the commands to come are about. */
export async function useStore({ out, store, repl }: CommandContext, reference: string): Promise<void> {
  if (repl === undefined) {
    throw new UsageError('a choice lasts only inside the REPL', {
      hint: 'outside of it name the store with --store or LATTICE_STORE',
    })
  }
  const info = await store(reference)
  await repl.use(info)
  await out.message(daemon.StoreInfoSchema, info, () => `using ${describeStore(info)}`)
}

async function setName(context: CommandContext, name: string): Promise<void> {
  const { out, signal } = context
  const info = await context.store()
  const response = await (await context.backend()).store.setName({ storeId: info.id, name }, { signal })
  await out.message(
    daemon.SetStoreNameResponseSchema,
    response,
    () => `store ${formatId(info.id)} is now called ${printable(response.name)}`,
  )
}
