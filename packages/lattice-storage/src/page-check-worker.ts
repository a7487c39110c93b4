/**
 * Entry of the thread that looks through a database; see page-check.ts.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { lookAtPages, type PageCheckAnswer, type PageCheckRequest } from './look-at-pages.ts'

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The starter is this package.
const answer: PageCheckAnswer = { problems: lookAtPages(workerData as PageCheckRequest) }
parentPort?.postMessage(answer)
