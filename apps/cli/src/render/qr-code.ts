/**
 * Text as a QR code for a terminal: two modules of a column in one character, with the quiet zone that scanners need.
 *
 * Where colours may be used, the code is black on white whatever the terminal's own colours are. Elsewhere its light
 * modules are drawn, which is right on a dark terminal; a light one shows it inverted, which most scanners read, too.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'
import { encodeQR } from 'qr'

/** Light modules around the code, by ISO/IEC 18004. */
const QUIET_ZONE = 4
/** Characters of the largest code there is, in letters and digits at the lowest correction. */
const MAX_CHARACTERS = 4296

const BLACK_ON_WHITE = '\u001B[38;5;16;48;5;231m'
const RESET = '\u001B[0m'

export interface QrCodeOptions {
  /** Columns there are; undefined where nothing is known to be too wide. */
  readonly width: number | undefined
  readonly colour: boolean
}

/** Why there is no code. */
export type QrCodeRefusal =
  | { readonly code: 'too_narrow'; readonly needs: number; readonly has: number }
  | { readonly code: 'too_long' }

/**
 * Draws `text`, which has to read the same in upper case: that makes the code a third smaller. The lowest correction is
 * enough for a screen, and leaves the modules largest.
 */
export function qrCodeText(text: string, { width, colour }: QrCodeOptions): Result<string, QrCodeRefusal> {
  const content = text.toUpperCase()
  if (content.length > MAX_CHARACTERS || !/^[0-9A-Z]+$/u.test(content)) return err({ code: 'too_long' })
  const modules = encodeQR(content, 'raw', { ecc: 'low', encoding: 'alphanumeric', border: QUIET_ZONE })
  if (width !== undefined && modules.length > width) {
    return err({ code: 'too_narrow', needs: modules.length, has: width })
  }
  const lines: string[] = []
  for (let row = 0; row < modules.length; row += 2) {
    const [upper, lower] = [modules[row] ?? [], modules[row + 1]]
    const line = upper.map((isDark, column) => cell({ isDark, isDarkBelow: lower?.[column] }, colour)).join('')
    lines.push(colour ? `${BLACK_ON_WHITE}${line}${RESET}` : line)
  }
  return ok(lines.join('\n'))
}

interface Modules {
  readonly isDark: boolean
  /** Undefined below the last row. */
  readonly isDarkBelow: boolean | undefined
}

/** Draws dark modules on white, or light modules on the background; below the last row nothing is drawn. */
function cell({ isDark, isDarkBelow }: Modules, colour: boolean): string {
  const upper = isDark === colour
  const lower = isDarkBelow === undefined ? false : isDarkBelow === colour
  if (upper && lower) return '█'
  if (upper) return '▀'
  return lower ? '▄' : ' '
}
