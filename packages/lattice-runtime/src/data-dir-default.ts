/**
 * Where a node keeps its data unless told otherwise: the one definition that
 * the daemon and the command line share.
 *
 * It imports nothing of the runtime, so that a client finds the directory
 * without loading a node.
 *
 * @module
 */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** Name of the API socket inside a data directory. */
export const SOCKET_NAME = 'lattice.sock'

/**
 * LATTICE_DATA_DIR, else the platform's place for a user's data: Application
 * Support on macOS, LOCALAPPDATA on Windows, the XDG data directory elsewhere.
 */
export function defaultDataDir(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string {
  const chosen = env['LATTICE_DATA_DIR'] ?? ''
  if (chosen !== '') return chosen
  if (platform === 'darwin') return join(home(env), 'Library', 'Application Support', 'lattice')
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home(env), 'AppData', 'Local'), 'lattice')
  // The XDG base directory specification: a relative path is to be ignored.
  const xdg = env['XDG_DATA_HOME'] ?? ''
  return join(isAbsolute(xdg) ? xdg : join(home(env), '.local', 'share'), 'lattice')
}

function home(env: Readonly<Record<string, string | undefined>>): string {
  return env['HOME'] ?? homedir()
}
