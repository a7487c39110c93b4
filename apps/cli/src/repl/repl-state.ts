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
import type { LineSource } from './line-source.ts'
import { createRefresher } from './refresher.ts'
import type { ReplOptions } from './repl-options.ts'
import type { Screen } from './screen.ts'
import { createSelection } from './selection.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface ReplStateOptions extends ReplOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: CliClock
  readonly style: Style
  readonly screen: Screen
  readonly errors: OutputStream
  readonly isInteractive: boolean
  readonly session: Session
  readonly lines: LineSource
  /** Whether colours are shown. */
  readonly hasColour: boolean
}

export interface ReplState {
  readonly options: ReplStateOptions
  readonly screen: Screen
  readonly isInteractive: boolean
  readonly subscriptions: Subscriptions
  readonly current: () => daemon.StoreInfo | undefined
  readonly use: (store: daemon.StoreInfo) => Promise<void>
  /** What is known of a store from now on, if it is the selected one. */
  readonly changed: (store: daemon.StoreInfo) => void
  readonly removed: (storeId: Uint8Array) => void
  /** Puts a question in the place of the prompt; resolves with the line that was entered, undefined at the end. */
  readonly ask: (question: string, signal: AbortSignal) => Promise<string | undefined>
  /** What is entered answers a question: it is no command. */
  readonly isAsking: () => boolean
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
  const question = createQuestion(options)
  const redraw = (): void => {
    if (!question.isAsking()) screen.changePrompt(prompt())
  }
  const selection = createSelection(redraw)
  const prompt = (): string => promptText(selection.current(), selection.status(), style)
  let quitting = false

  const report = (error: unknown): Promise<number> =>
    reportError(error, { stderr: errors, json: options.json ?? false, style })
  const subscriptions = createSubscriptions(async (label, error) => {
    await writeText(errors, `${label} ended\n`)
    await report(error)
  })
  const refresher = createRefresher(async () => {
    const store = selection.current()
    if (store === undefined) return
    selection.learn(store, await backend.store.getStatus({ storeId: store.id }, { signal: ending.signal }))
  })
  const use = (chosen: daemon.StoreInfo): Promise<void> => {
    selection.use(chosen)
    return Promise.resolve()
  }
  const onEvent = ({ event }: daemon.NodeEvent): void => {
    if (event.case === 'storeChanged') selection.changed(event.value)
    if (event.case === 'storeRemoved') selection.removed(event.value.storeId)
    refresher.request()
  }
  const events = isInteractive ? showEvents({ options, signal: ending.signal, onEvent }) : Promise.resolve()

  return {
    options,
    screen,
    isInteractive,
    subscriptions,
    current: selection.current,
    use,
    changed: selection.changed,
    removed: selection.removed,
    ...question,
    begin: async (reference) => {
      await selectFirst({
        options,
        reference: reference ?? selectedStore({ color: true }, options.env),
        signal: ending.signal,
        use,
        report,
      })
      if (isInteractive) await writeText(screen.stream, await greeting(options, selection.current()))
    },
    showPrompt: () => {
      screen.showPrompt(prompt())
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

/** The next line entered is the answer, and the prompt the question. */
function createQuestion({ screen, lines }: ReplStateOptions): Pick<ReplState, 'ask' | 'isAsking'> {
  let asking = false
  return {
    ask: async (question, signal) => {
      asking = true
      screen.showPrompt(question)
      try {
        return await lines.next(signal)
      } finally {
        asking = false
        screen.hidePrompt()
      }
    },
    isAsking: () => asking,
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
  readonly onEvent: (event: daemon.NodeEvent) => void
}

/** Events print above the prompt until the REPL ends. */
async function showEvents({ options, signal, onEvent }: EventWatch): Promise<void> {
  const { backend, screen, style } = options
  try {
    for await (const event of backend.node.subscribe({}, { signal })) {
      onEvent(event)
      if (isWorthTelling(event))
        await writeText(screen.stream, `${style.dim('·')} ${nodeEventSentence(event, { style, full: false })}\n`)
    }
  } catch (error) {
    if (!signal.aborted) await reportError(error, { stderr: options.errors, json: false, style })
  }
}

/** Progress, what is waited for, lag, and syncs that moved nothing would only push the work off the screen. */
function isWorthTelling({ event }: daemon.NodeEvent): boolean {
  if (event.case === 'bootstrapProgress' || event.case === 'peerLag' || event.case === 'epochWaiting') return false
  if (event.case !== 'syncResult') return true
  return event.value.errorCode !== '' || event.value.sent > 0n || event.value.received > 0n
}
