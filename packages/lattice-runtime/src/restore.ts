/**
 * Restoring and verifying backups with the platform's own crypto, clock and timers: for programs that run no node yet.
 *
 * @module
 */
import { openCrypto } from '@lattice/model/crypto'
import {
  restoreBackup,
  type RestoreBackupOptions,
  type RestoredBackup,
  type VerifiedBackup,
  verifyBackup,
  type VerifyBackupOptions,
} from '@lattice/node'
import { createSystemClock, createSystemScheduler } from './system-ports.ts'

type Ports = 'crypto' | 'clock' | 'scheduler'

/** See `restoreBackup` of `@lattice/node`. */
export async function restoreFromBackup(options: Omit<RestoreBackupOptions, Ports>): Promise<RestoredBackup> {
  return restoreBackup({ ...options, ...(await systemPorts()) })
}

/** See `verifyBackup` of `@lattice/node`. */
export async function checkBackup(options: Omit<VerifyBackupOptions, Ports>): Promise<VerifiedBackup> {
  return verifyBackup({ ...options, ...(await systemPorts()) })
}

async function systemPorts(): Promise<Pick<VerifyBackupOptions, Ports>> {
  return { crypto: await openCrypto(), clock: createSystemClock(), scheduler: createSystemScheduler() }
}
