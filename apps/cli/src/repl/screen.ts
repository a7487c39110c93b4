/**
 * One terminal for two writers: the person who types and what happens meanwhile.
 * While the prompt stands, text is written above it and the prompt, with what
 * is typed so far, drawn anew below.
 *
 * @module
 */
import { clearScreenDown, cursorTo, type Interface, moveCursor } from 'node:readline'
import { Writable } from 'node:stream'
import type { OutputStream } from '../io.ts'

export interface Screen {
  /** Where commands and events write. */
  readonly stream: OutputStream
  /** Shows the prompt; from now on text goes above it. */
  readonly showPrompt: (text: string) => void
  /** Draws the prompt that stands with another text. */
  readonly changePrompt: (text: string) => void
  /** The prompt has become history: a line was entered, or the terminal is left. */
  readonly hidePrompt: () => void
}

/** `opened` undefined = no prompt is ever shown, and writing is plain. */
export function createScreen(output: OutputStream, opened: Interface | undefined): Screen {
  // A terminal may be left while a command still runs; what that prints is then written plainly.
  let terminal = opened
  terminal?.once('close', () => {
    terminal = undefined
    isShown = false
  })
  let isShown = false
  let prompt = ''
  const clear = (): void => {
    if (terminal === undefined) return
    moveCursor(output, 0, -terminal.getCursorPos().rows)
    cursorTo(output, 0)
    clearScreenDown(output)
  }
  const draw = (): void => {
    terminal?.setPrompt(prompt)
    terminal?.prompt(true)
  }
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string | Uint8Array, _encoding, done) => {
      if (isShown) clear()
      output.write(chunk, (error) => done(error ?? null))
      if (isShown) draw()
    },
  })
  return {
    stream: Object.assign(stream, {
      isTTY: output.isTTY === true,
      ...(output.columns === undefined ? {} : { columns: output.columns }),
    }),
    showPrompt: (text) => {
      prompt = text
      if (terminal === undefined) return
      isShown = true
      terminal.setPrompt(prompt)
      terminal.prompt()
    },
    changePrompt: (text) => {
      if (text === prompt) return
      prompt = text
      if (!isShown) return
      clear()
      draw()
    },
    hidePrompt: () => {
      isShown = false
    },
  }
}
