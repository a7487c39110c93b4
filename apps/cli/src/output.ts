/**
 * Where a command says what it did: the answer on stdout, as text or as JSON,
 * and everything else on stderr. A closed reader is quiet: writing goes nowhere
 * from then on, and `onClosed` lets a stream of answers end.
 *
 * @module
 */
import type { DescMessage, JsonValue, Message, MessageShape } from '@bufbuild/protobuf'
import type { OutputStream } from './io.ts'
import { API_FORMATS, type FormatOf, messageToJson } from './render/message-json.ts'
import type { MessageTextOptions } from './render/message-text.ts'
import { createProgressBar, type ProgressBar } from './render/progress-bar.ts'
import type { Style } from './render/style.ts'

export interface Output {
  readonly json: boolean
  readonly style: Style
  /** Ids in full. */
  readonly full: boolean
  /** Columns of the terminal; undefined when stdout is none. */
  readonly width: number | undefined
  /** One answer: the message as a line of JSON, or `text`. */
  readonly message: <Schema extends DescMessage>(
    schema: Schema,
    message: MessageShape<Schema>,
    text: () => string,
  ) => Promise<void>
  /** An answer of a store's own type. */
  readonly foreign: (answer: ForeignAnswer) => Promise<void>
  /** An answer that no message of the API stands for. */
  readonly document: (document: JsonValue, text: () => string) => Promise<void>
  /** Bytes on stdout as they are, of an answer that is itself a file. */
  readonly bytes: (bytes: Uint8Array) => Promise<void>
  /** Something for a person to know; silent with --json. */
  readonly note: (text: string) => Promise<void>
  /** Something for a person to look at while a program reads stdout: on stderr, also with --json. */
  readonly aside: (text: string) => Promise<void>
  /** How stderr shows a figure. */
  readonly canvas: Canvas
  /** How far work is, on a terminal; silent elsewhere and with --json. */
  readonly progress: (label: string) => ProgressBar
  readonly textOptions: (formatOf?: FormatOf) => MessageTextOptions
}

export interface Canvas {
  /** Columns of the terminal; undefined when stderr is none. */
  readonly width: number | undefined
  readonly colour: boolean
}

export interface ForeignAnswer {
  readonly schema: DescMessage
  readonly message: Message
  readonly formatOf: FormatOf
  readonly text: () => string
}

const DEFAULT_COLUMNS = 80

export interface OutputOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly json: boolean
  readonly full: boolean
  readonly style: Style
  /** Whether stderr shows colours. */
  readonly colour: boolean
  readonly onClosed: () => void
}

export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, json, full, style } = options
  const width = columnsOf(stdout)
  const send = async (what: string | Uint8Array): Promise<void> => {
    if ((await writeText(stdout, what)) === 'closed') options.onClosed()
  }
  const print = (text: string): Promise<void> => send(text === '' ? '' : `${text}\n`)
  const document = (value: JsonValue, text: () => string): Promise<void> => print(json ? JSON.stringify(value) : text())
  const foreign = ({ schema, message, formatOf, text }: ForeignAnswer): Promise<void> =>
    print(json ? JSON.stringify(messageToJson(schema, message, formatOf)) : text())
  return {
    json,
    style,
    full,
    width,
    message: (schema, message, text) => foreign({ schema, message, formatOf: API_FORMATS, text }),
    foreign,
    document,
    bytes: send,
    note: async (text) => {
      if (!json) await writeText(stderr, `${text}\n`)
    },
    aside: async (text) => {
      await writeText(stderr, `${text}\n`)
    },
    canvas: { width: columnsOf(stderr), colour: options.colour },
    progress: (label) => createProgressBar({ label, stderr: json ? undefined : stderr, style }),
    textOptions: (formatOf = API_FORMATS) => ({ style, formatOf, width, full }),
  }
}

/** Undefined where no terminal is. One that does not tell its width is taken for a usual one. */
function columnsOf(stream: OutputStream): number | undefined {
  return stream.isTTY === true ? stream.columns || DEFAULT_COLUMNS : undefined
}

/** Resolves when the text has left the process, or nobody is there to read it. */
export function writeText(stream: OutputStream, text: string | Uint8Array): Promise<'written' | 'closed'> {
  return new Promise((resolve, reject) => {
    if (text.length === 0) return resolve('written')
    const quiet = (): void => undefined
    stream.on('error', quiet)
    stream.write(text, (error) => {
      // A failed write is also emitted, after this callback: the listener stays where it failed.
      if (error === null || error === undefined) {
        stream.off('error', quiet)
        return resolve('written')
      }
      if ('code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED')) return resolve('closed')
      return reject(error)
    })
  })
}
