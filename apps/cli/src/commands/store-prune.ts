/**
 * `lattice store prune`: has every node of a store delete history, now or by a policy.
 *
 * @module
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { daemon, system } from '@lattice/proto'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { confirmYes } from '../confirm.ts'
import { UsageError } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT, parseCount } from '../parse-option.ts'
import { type PeerNames, peerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { acksText } from '../render/epoch-text.ts'
import { baseText, planText, policyText, pruningText } from '../render/history-text.ts'
import { API_FORMATS, messageToJson } from '../render/message-json.ts'
import { asObject } from '../render/json-object.ts'
import { formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'
import { withoutEffect } from './without-effect.ts'

/** As a store can say it. */
const MAX_DAYS = 36_525
const MAX_COUNT = 2 ** 32 - 1

interface PruneOptions {
  readonly dryRun?: boolean
  readonly keepDays?: number
  readonly keepCount?: number
  readonly policy?: Policy
  readonly wait?: boolean
  readonly yes?: boolean
}

type Policy = MessageInitShape<typeof system.PrunePolicySchema>

export function addPruneCommand(store: Command, bind: Bind): void {
  store
    .command('prune')
    .description('delete history on every node of a store, or say how much of it is kept; its state stays')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--dry-run', 'only say what would go, what that would free, and who is waited for')
    .option('--keep-days <days>', 'keep what was written since', parseCount({ min: 1, max: MAX_DAYS }))
    .option('--keep-count <count>', 'keep at least so many intentions', parseCount({ min: 1, max: MAX_COUNT }))
    .option('--policy <policy>', 'from now on: manual, keep-days=N or keep-count=N', parsePolicy)
    .option('--wait', 'until it is deleted on this node')
    .option('--yes', 'without asking')
    .action(bind((context, reference: string | undefined, options: PruneOptions) => prune(context, reference, options)))
}

function parsePolicy(text: string): Policy {
  const [, kind, number = ''] = /^(manual|keep-days|keep-count)(?:=(\d{1,10}))?$/u.exec(text.trim()) ?? []
  if (kind === 'manual' && number === '') return { policy: { case: 'manual', value: {} } }
  const value = Number(number)
  const max = kind === 'keep-days' ? MAX_DAYS : MAX_COUNT
  if (kind === undefined || kind === 'manual' || number === '' || value < 1 || value > max) {
    throw new InvalidArgumentError('It is manual, keep-days=N or keep-count=N.')
  }
  return { policy: { case: kind === 'keep-days' ? 'keepDays' : 'keepCount', value } }
}

async function prune(context: CommandContext, reference: string | undefined, options: PruneOptions): Promise<void> {
  checkOptions(options)
  const info = await context.store(reference)
  if (options.policy !== undefined) return setPolicy(context, info, options.policy)
  const { out, signal } = context
  const { store } = await context.backend()
  const { keepDays = 0, keepCount = 0 } = options
  const request = { storeId: info.id, keepDays, keepCount: BigInt(keepCount) }
  const names = out.json ? formatId : await peerNames(context, info)
  const plan = await store.planPrune(request, { signal })
  if (options.dryRun === true) {
    return out.message(daemon.PrunePlanSchema, plan, () => planText(plan, { ...out, names }))
  }
  if (isDeleting(plan)) {
    const { intentions = 0n, bytes = 0n } = plan.goes ?? {}
    await confirmYes(context, {
      warning: `${formatPlural(intentions, 'intention')} (${formatSize(bytes)}) of ${describeStore(info)} go on every node and cannot be brought back; the state they came to stays`,
      verb: 'prune',
      name: describeStore(info),
      isGiven: options.yes === true,
    })
  }
  const response = await store.prune(request, { signal })
  const isWaiting = options.wait === true && response.outcome === daemon.PruneOutcome.BEGUN
  if (!isWaiting || response.epoch === undefined) {
    return out.message(daemon.PruneResponseSchema, response, () => outcomeText(response, names))
  }
  const done = await awaitPruned(context, { info, epoch: response.epoch, names })
  const document = {
    ...asObject(messageToJson(daemon.PruneResponseSchema, response, API_FORMATS)),
    pruning: messageToJson(daemon.PruningStatusSchema, done, API_FORMATS),
  }
  const { ineffective } = done
  await out.document(document, () =>
    ineffective === undefined ? `the history of ${describeStore(info)} ${baseText(done, out.full)}` : '',
  )
  if (ineffective !== undefined) throw withoutEffect(ineffective, `the prune of ${describeStore(info)}`)
}

function checkOptions({ dryRun, keepDays, keepCount, policy, wait, yes }: PruneOptions): void {
  if (keepDays !== undefined && keepCount !== undefined) {
    throw new UsageError('history is kept by days or by number: give --keep-days or --keep-count')
  }
  if (policy !== undefined && [dryRun, keepDays, keepCount, wait, yes].some((option) => option !== undefined)) {
    throw new UsageError('--policy says what is kept from now on and deletes nothing: give it alone')
  }
  if (dryRun === true && (wait === true || yes === true)) throw new UsageError('--dry-run does nothing to wait for')
}

/** False where nothing would go, now or by what is asked for. */
function isDeleting({ hindrance }: daemon.PrunePlan): boolean {
  return (
    hindrance !== daemon.PruneHindrance.NOTHING_TO_PRUNE &&
    hindrance !== daemon.PruneHindrance.HISTORY_RECENT &&
    hindrance !== daemon.PruneHindrance.DIVERGED
  )
}

async function setPolicy(context: CommandContext, info: daemon.StoreInfo, policy: Policy): Promise<void> {
  const { out, signal } = context
  const { store } = await context.backend()
  const set = await store.setPrunePolicy({ storeId: info.id, policy }, { signal })
  await out.message(system.PrunePolicySchema, set, () => `the history of ${describeStore(info)}: ${policyText(set)}`)
}

function outcomeText({ outcome, plan, epoch }: daemon.PruneResponse, names: PeerNames): string {
  if (epoch === undefined) return 'nothing was done: there is nothing to delete'
  const name = `epoch ${epoch.seq} (${formatId(epoch.id)})`
  if (outcome === daemon.PruneOutcome.MARKED) {
    return `nothing is old enough to go yet: ${name} is made, which a later prune can cut at`
  }
  const { intentions = 0n } = plan?.goes ?? {}
  return `${name} deletes ${formatPlural(intentions, 'intention')} on every node once it is final: ${acksText(epoch, names)}`
}

interface AwaitedPrune {
  readonly info: daemon.StoreInfo
  readonly epoch: daemon.Epoch
  readonly names: PeerNames
}

/** How it is once it is deleted here, or is not to be; what is waited for is told on the way. */
async function awaitPruned(
  context: CommandContext,
  { info, epoch, names }: AwaitedPrune,
): Promise<daemon.PruningStatus> {
  const { out, signal } = context
  const bar = out.progress('pruning')
  const request = { storeId: info.id, epoch: epoch.id }
  let last: daemon.PruningStatus | undefined
  try {
    for await (const status of (await context.backend()).store.followPruning(request, { signal })) {
      const text = pruningText(status, names) ?? ''
      const before = last && pruningText(last, names)
      if (status.state === daemon.PruningState.PRUNING) {
        bar.update(Number(status.done), Number(status.total), text)
      } else if (text !== '' && text !== before) {
        bar.clear()
        await out.note(out.style.dim(text))
      }
      last = status
    }
  } finally {
    bar.clear()
  }
  if (last === undefined) throw new Error('what is followed is told at least once')
  return last
}
