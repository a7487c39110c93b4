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
import { parseCount, STORE_ARGUMENT } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import { storeListText, storeTreeText } from '../render/store-list.ts'
import type { Bind } from '../run-action.ts'
import { describeStore, storeNow } from '../store-selection.ts'

interface CreateOptions {
  readonly type?: string
  readonly root?: boolean
  readonly parent?: string
  readonly strategy?: string
}

interface ListOptions {
  readonly tree?: boolean
}

/** What the request holds. */
const MAX_SCHEMA: number = 2 ** 32 - 1

const STRATEGIES: Readonly<Record<string, daemon.ChildStrategy>> = {
  inherited: daemon.ChildStrategy.INHERITED,
  independent: daemon.ChildStrategy.INDEPENDENT,
  snapshot: daemon.ChildStrategy.SNAPSHOT,
}

export function addLifecycleCommands(store: Command, bind: Bind): void {
  store
    .command('create')
    .description('create a store: a root, or the child of another')
    .argument('[name]', 'what to call it: text without slashes', '')
    .option('--type <type>', 'store type (default: core:rootstore for a root, core:kvstore for a child)')
    .addOption(new Option('--root', 'a root store, joined by invite (the default)').conflicts('parent'))
    .option('--parent <store>', 'a child of this store')
    .addOption(
      new Option('--strategy <strategy>', 'whose peers a child has (default: inherited)').choices(
        Object.keys(STRATEGIES),
      ),
    )
    .action(bind((context, name: string, options: CreateOptions) => createStore(context, name, options)))
  store
    .command('list')
    .description('all stores of this node')
    .option('--tree', 'children below their parents')
    .action(bind((context, options: ListOptions) => listStores(context, options)))
  store
    .command('use')
    .description('choose the store of the commands to come (in the REPL)')
    .argument('<store>', STORE_ARGUMENT)
    .action(bind((context, reference: string) => useStore(context, reference)))
  store
    .command('set-name')
    .description('change the name of the selected store')
    .argument('<name>', 'the new name: text without slashes')
    .action(bind((context, name: string) => setName(context, name)))
  store
    .command('activate-schema')
    .description('let the selected store use a later schema of its type, for good, once its nodes are upgraded')
    .argument('<version>', 'version of the schema', parseCount({ min: 1, max: MAX_SCHEMA }))
    .action(bind((context, version: number) => activateSchema(context, version)))
}

async function activateSchema(context: CommandContext, version: number): Promise<void> {
  const { out, signal } = context
  const info = await context.store()
  const response = await (await context.backend()).store.activateSchema({ storeId: info.id, version }, { signal })
  await out.message(
    daemon.ActivateSchemaResponseSchema,
    response,
    () => `${describeStore(info)} uses schema ${response.version} of ${printable(info.storeType)}`,
  )
}

async function createStore(context: CommandContext, name: string, options: CreateOptions): Promise<void> {
  const { out, signal } = context
  const backend = await context.backend()
  if (options.strategy !== undefined && options.parent === undefined) {
    throw new UsageError('a root has peers of its own: --strategy is for a child', {
      hint: 'name the parent with --parent STORE, or leave --strategy out',
    })
  }
  const parentId = options.parent === undefined ? new Uint8Array() : (await context.store(options.parent)).id
  const strategy = STRATEGIES[options.strategy ?? ''] ?? daemon.ChildStrategy.UNSPECIFIED
  const request = { name, storeType: options.type ?? '', parentId, strategy }
  const info = await backend.store.create(request, { signal })
  await out.message(
    daemon.StoreInfoSchema,
    info,
    () => `created ${printable(info.storeType)} store ${describeStore(info)}\nid ${toHex(info.id)}`,
  )
  if (strategy === daemon.ChildStrategy.INDEPENDENT) {
    await out.note(out.style.dim("nobody else has it yet: 'peer invite' with --store makes a token for others"))
  }
}

async function listStores({ out, backend, signal }: CommandContext, { tree = false }: ListOptions): Promise<void> {
  const response = await (await backend()).store.list({}, { signal })
  await out.message(daemon.ListStoresResponseSchema, response, () => {
    if (response.stores.length === 0)
      return "no stores: create one with 'store create NAME', or join one with 'store join TOKEN'"
    return tree ? storeTreeText(response.stores, out) : storeListText(response.stores, out)
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
  if (context.repl !== undefined) context.repl.changed(await storeNow(context, toHex(info.id)))
}
