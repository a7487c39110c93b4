/**
 * What a REPL knows between two lines: the selected store, what runs beside the
 * prompt, and how the store stands. Its background work ends with it.
 *
 * @module
 */
import { isLatticeError, toHex } from '@lattice/model'
import type { daemon } from '@lattice/proto'
import { Interrupted } from '../errors.ts'
import { selectedStore } from '../globals.ts'
import type { CliClock, OutputStream } from '../io.ts'
import { writeText } from '../output.ts'
import { nodeEventSentence } from '../render/node-event.ts'
import type { Style } from '../render/style.ts'
import { reportError } from '../report-error.ts'
import type { Session } from '../session.ts'
import { describeStore, selectStore } from '../store-selection.ts'
import { createForeground, type Foreground, INTERRUPT_EXIT } from './foreground.ts'
import { promptText } from './prompt-text.ts'
import { createRefresher } from './refresher.ts'
import type { ReplOptions } from './repl-options.ts'
import type { Screen } from './screen.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface ReplStateOptions extends ReplOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: CliClock
  readonly style: Style
  readonly screen: Screen
  readonly errors: OutputStream
  readonly isInteractive: boolean
  readonly session: Session
}

export interface ReplState {
  readonly options: ReplStateOptions
  readonly screen: Screen
  readonly isInteractive: boolean
  readonly subscriptions: Subscriptions
  readonly current: () => daemon.StoreInfo | undefined
  readonly use: (store: daemon.StoreInfo) => Promise<void>
  /** Selects the first store and, on a terminal, says where one is. */
  readonly begin: (reference: string | undefined) => Promise<void>
  readonly showPrompt: () => void
  readonly report: (error: unknown) => Promise<number>
  readonly foreground: Foreground
  readonly quit: () => void
  readonly isQuitting: () => boolean
  /** Ends everything in the background. */
  readonly close: () => Promise<void>
}

export function openReplState(options: ReplStateOptions): ReplState {
  const { backend, screen, style, errors, isInteractive } = options
  const ending = new AbortController()
  let store: daemon.StoreInfo | undefined
  let status: daemon.StoreStatus | undefined
  let quitting = false

  const report = (error: unknown): Promise<number> =>
    reportError(error, { stderr: errors, json: options.json ?? false, style })
  const subscriptions = createSubscriptions(async (label, error) => {
    await writeText(errors, `${label} ended\n`)
    await report(error)
  })
  const refresher = createRefresher(async () => {
    const asked = store
    if (asked === undefined) return
    const answer = await backend.store.getStatus({ storeId: asked.id }, { signal: ending.signal })
    if (store !== asked) return
    status = answer
    screen.changePrompt(promptText(store, status, style))
  })
  const use = (chosen: daemon.StoreInfo): Promise<void> => {
    store = chosen
    status = undefined
    return Promise.resolve()
  }
  const events = isInteractive
    ? showEvents({ options, signal: ending.signal, onEvent: refresher.request })
    : Promise.resolve()

  return {
    options,
    screen,
    isInteractive,
    subscriptions,
    current: () => store,
    use,
    begin: async (reference) => {
      await selectFirst({
        options,
        reference: reference ?? selectedStore({ color: true }, options.env),
        signal: ending.signal,
        use,
        report,
      })
      if (isInteractive) await writeText(screen.stream, await greeting(options, store))
    },
    showPrompt: () => {
      screen.showPrompt(promptText(store, status, style))
      if (isInteractive) refresher.request()
    },
    report,
    foreground: createForeground(),
    quit: () => {
      quitting = true
    },
    isQuitting: () => quitting,
    close: async () => {
      ending.abort(new Interrupted(INTERRUPT_EXIT))
      await subscriptions.end('all')
      await Promise.all([events, refresher.idle()])
    },
  }
}

interface FirstStore {
  readonly options: ReplStateOptions
  readonly reference: string | undefined
  readonly signal: AbortSignal
  readonly use: (store: daemon.StoreInfo) => Promise<void>
  readonly report: (error: unknown) => Promise<number>
}

/** A store that was named must be there; without a name several stores are nothing to complain about yet. */
async function selectFirst({ options, reference, signal, use, report }: FirstStore): Promise<void> {
  try {
    await use(await selectStore(options.backend, reference, signal))
  } catch (error) {
    if (reference !== undefined || !isLatticeError(error)) await report(error)
  }
}

async function greeting({ backend, style }: ReplStateOptions, store: daemon.StoreInfo | undefined): Promise<string> {
  const node = await backend.node.getStatus({})
  const name = node.name === '' ? '' : ` ${style.strong(node.name)}`
  const where =
    store === undefined
      ? "no store selected: 'store list' shows them, 'use STORE' selects one"
      : `store ${describeStore(store)}`
  const shortId = toHex(node.publicKey).slice(0, 12)
  return `node${name} ${style.dim(shortId)}, ${where}\n${style.dim('help shows what can be done, Tab completes, quit leaves')}\n`
}

interface EventWatch {
  readonly options: ReplStateOptions
  readonly signal: AbortSignal
  readonly onEvent: () => void
}

/** Events print above the prompt until the REPL ends. */
async function showEvents({ options, signal, onEvent }: EventWatch): Promise<void> {
  const { backend, screen, style } = options
  try {
    for await (const event of backend.node.subscribe({}, { signal })) {
      onEvent()
      if (isWorthTelling(event))
        await writeText(screen.stream, `${style.dim('·')} ${nodeEventSentence(event, { style, full: false })}\n`)
    }
  } catch (error) {
    if (!signal.aborted) await reportError(error, { stderr: options.errors, json: false, style })
  }
}

/** Progress and syncs that moved nothing would only push the work off the screen. */
function isWorthTelling({ event }: daemon.NodeEvent): boolean {
  if (event.case === 'bootstrapProgress') return false
  if (event.case !== 'syncResult') return true
  return event.value.errorCode !== '' || event.value.sent > 0n || event.value.received > 0n
}
