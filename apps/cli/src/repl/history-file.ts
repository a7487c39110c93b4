/**
 * What was typed before, kept from one REPL to the next.
 *
 * A convenience: a history that cannot be read or written costs nothing but
 * itself. It is readable by its owner only, and invite tokens never enter it.
 *
 * @module
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Lines kept. */
export const MAX_HISTORY_LINES = 1000
/** A longer line was pasted, not typed. */
const MAX_LINE_CHARACTERS = 4096
/** A file beyond this was not written here. */
const MAX_FILE_CHARACTERS: number = MAX_HISTORY_LINES * MAX_LINE_CHARACTERS

const TOKEN = /lattice1[0-9a-z]{20,}/iu

export function historyPath(dataDir: string): string {
  return join(dataDir, 'cli', 'history')
}

/** The lines of the file, newest first as readline wants them; none when it cannot be read. */
export async function readHistory(file: string): Promise<string[]> {
  try {
    const text = await readFile(file, 'utf8')
    if (text.length > MAX_FILE_CHARACTERS) return []
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.slice(-MAX_HISTORY_LINES).toReversed()
  } catch {
    return []
  }
}

/** Replaces the file with `lines`, newest first. Never rejects. */
export async function writeHistory(file: string, lines: readonly string[]): Promise<void> {
  const kept = lines.filter(isWorthKeeping).slice(0, MAX_HISTORY_LINES).toReversed()
  const draft = `${file}.${process.pid}.tmp`
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(draft, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 })
    await rename(draft, file)
  } catch {
    // Nothing depends on it.
  }
}

/** A line with an invite token would keep the secret that the token is. */
export function isWorthKeeping(line: string): boolean {
  return line.trim() !== '' && line.length <= MAX_LINE_CHARACTERS && !TOKEN.test(line)
}
