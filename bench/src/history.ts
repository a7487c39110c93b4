/**
 * Intentions of other nodes, made by hand: what a bootstrap receives.
 *
 * @module
 */
import {
  assert,
  createGenesis,
  encodeUniversalOp,
  genesisStoreId,
  type IntentionId,
  NO_HINTS,
  type ParsedIntention,
  signIntention,
  type Signer,
  sortDeps,
  type StoreId,
} from '@lattice/model'
import { kvStore } from '@lattice/kvstore'
import { schemaOfCommands } from '@lattice/store-base'
import { keyOf, putPayload, valueOf } from './entries.ts'
import { createDice, crypto, signerOf } from './world.ts'

export interface History {
  readonly storeId: StoreId
  readonly genesis: ParsedIntention
  /** The next intentions in causal order. Ends with every author's run closed. */
  readonly next: (count: number) => readonly ParsedIntention[]
}

export interface HistoryOptions {
  /** Authors write in turn; each intention also cites the end of another author's last closed run. Author 0 made the store. */
  readonly authors?: number
  /** Intentions that one signature closes. */
  readonly runLength: number
  /** Cite the newest intention of all instead, which has seen all others: as often as authors can hear of each other. */
  readonly citesNewest?: boolean
  readonly keyOf?: (entry: number) => Uint8Array
}

/** So far back do timestamps start that none is in the future: a millisecond each. */
const AGE_MS = 3_600_000

export function createHistory(options: HistoryOptions): History {
  const { authors = 1, runLength, citesNewest = false, keyOf: key = keyOf } = options
  const signers = Array.from({ length: authors }, (_, number) => signerOf(number))
  const [creator] = signers
  assert(creator !== undefined, 'a history has an author')
  const startMs = Date.now() - AGE_MS
  const genesis = createGenesis(crypto, creator, {
    storeType: kvStore.storeType,
    nonce: new Uint8Array(16).fill(1),
    timestamp: { wall: startMs, counter: 0 },
  })
  const tips: IntentionId[] = signers.map(() => genesis.id)
  // A node cites what it has witnessed, which is closed.
  const closed: IntentionId[] = signers.map(() => genesis.id)
  const dice = createDice(7)
  let newest: IntentionId = genesis.id
  let made = 0

  function otherOf(author: number): IntentionId {
    if (citesNewest) return newest
    return closed[(author + 1 + dice(authors - 1)) % authors] ?? genesis.id
  }

  function make(author: number, signer: Signer, close: boolean): ParsedIntention {
    const storePrev = tips[author] ?? genesis.id
    const other = authors === 1 ? storePrev : otherOf(author)
    made += 1
    const value = putPayload(key(made), valueOf(made))
    const parsed = signIntention(crypto, signer, {
      intention: {
        author: signer.publicKey,
        timestamp: { wall: startMs + made, counter: 0 },
        storePrev,
        causalDeps: sortDeps([other]),
        hints: NO_HINTS,
        ops: encodeUniversalOp({ kind: 'appData', schema: schemaOfCommands(kvStore), value }),
      },
      close,
    })
    tips[author] = parsed.id
    if (close) {
      closed[author] = parsed.id
      newest = parsed.id
    }
    return parsed
  }

  return {
    storeId: genesisStoreId(genesis),
    genesis,
    next: (count) =>
      Array.from({ length: count }, (_, index) => {
        const author = made % authors
        const signer = signers[author]
        assert(signer !== undefined, 'every author has a signer')
        const turn = Math.floor(index / authors)
        return make(author, signer, turn % runLength === runLength - 1 || index >= count - authors)
      }),
  }
}
