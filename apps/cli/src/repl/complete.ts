/**
 * What may follow what is typed: commands, options, stores, peers, invites,
 * methods, fields and keys. Every list is bounded, and a node that does not answer in time simply
 * adds nothing.
 *
 * @module
 */
import { create, type DescField, fromBinary, toBinary } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import type { LatticeBackend } from '@lattice/api/client'
import { toHex } from '@lattice/model'
import { type daemon, system } from '@lattice/proto'
import type { Argument, Command, Option } from 'commander'
import { HELP_TOPICS } from '../commands/help-topics.ts'
import { fieldAt } from '../dynamic/arguments.ts'
import { commandName, type StoreInterface, type StoreMethod } from '../dynamic/store-methods.ts'
import { formatBytes, formatId, parseBytes } from '../render/bytes-text.ts'
import { isBytes } from '../render/message-json.ts'
import { elementsOf, isReflectMessage } from '../render/reflect-values.ts'
import { quoteWord, splitTyped } from './tokenize.ts'

/** Keys offered at once: a screen of them. */
const MAX_KEYS = 50

export interface CompletionSources {
  readonly program: Command
  readonly backend: LatticeBackend
  readonly signal: AbortSignal
  /** The selected store. */
  readonly current: daemon.StoreInfo | undefined
  /** The selected store, when there is one, and what it can do. */
  readonly selected: () => Promise<SelectedStore | undefined>
  readonly subscriptions: readonly number[]
}

export interface SelectedStore {
  readonly store: daemon.StoreInfo
  readonly described: StoreInterface
}

/** What readline wants: whole replacements, and the part of the line that they replace. */
export type Completion = [string[], string]

export async function complete(line: string, sources: CompletionSources): Promise<Completion> {
  const { words, isOpen } = splitTyped(line)
  const typed = isOpen ? words : [...words, { text: '', start: line.length }]
  const last = typed.at(-1)
  if (last === undefined) return [[], line]
  const before = typed.slice(0, -1).map((word) => word.text)
  const found = await candidates(before, last.text, sources)
  const matching = [...new Set(found)].filter((each) => each.startsWith(last.text)).toSorted()
  const [only] = matching
  const isWhole = matching.length === 1 && only?.endsWith('=') !== true
  return [matching.map((each) => `${quoteWord(each)}${isWhole ? ' ' : ''}`), line.slice(last.start)]
}

async function candidates(
  before: readonly string[],
  partial: string,
  sources: CompletionSources,
): Promise<readonly string[]> {
  const { program } = sources
  const { command, rest, pending } = commandAt(program, before)
  if (pending !== undefined) return valuesOf(pending.attributeName(), pending.argChoices, sources)
  if (partial.startsWith('-')) return optionsOf(command, program)
  if (command !== program) {
    if (command.commands.length > 0 && rest.length === 0) return command.commands.map(nameOf)
    const argument = argumentAt(command, rest.length)
    if (argument?.name() === 'topic' && rest.length > 0) return commandAt(program, rest).command.commands.map(nameOf)
    return argument === undefined ? [] : valuesOf(argument.name(), argument.argChoices, sources)
  }
  const selected = await sources.selected()
  const methods = selected?.described.methods ?? []
  const [name] = rest
  if (name === undefined) return [...program.commands.map(nameOf), ...methods.map(commandName)]
  const method = methods.find((each) => commandName(each) === name.toLowerCase())
  if (method === undefined || selected === undefined) return []
  return methodWords({ method, selected, sources }, [...rest.slice(1), partial])
}

interface CommandPlace {
  readonly command: Command
  /** Arguments that are there already. */
  readonly rest: readonly string[]
  /** The option whose value comes next. */
  readonly pending: Option | undefined
}

/** The command that the words lead to, and what they say to it. */
function commandAt(program: Command, words: readonly string[]): CommandPlace {
  let command = program
  let pending: Option | undefined
  const rest: string[] = []
  for (const word of words) {
    if (pending !== undefined) {
      pending = undefined
      continue
    }
    if (word.startsWith('-')) {
      const option = [...command.options, ...program.options].find(({ long, short }) => long === word || short === word)
      pending = option?.required === true ? option : undefined
      continue
    }
    const next = rest.length > 0 ? undefined : commandNamed(command, word)
    if (next === undefined) rest.push(word)
    else command = next
  }
  return { command, rest, pending }
}

function commandNamed(command: Command, word: string): Command | undefined {
  return command.commands.find((each) => each.name() === word || each.aliases().includes(word))
}

function nameOf(command: Command): string {
  return command.name()
}

/** A variadic argument takes all that follow. */
function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1)
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined)
}

function optionsOf(command: Command, program: Command): readonly string[] {
  return [...command.options, ...program.options].flatMap((option) => option.long ?? [])
}

/** What an argument or an option may be, by what it is called. */
async function valuesOf(
  name: string,
  choices: readonly string[] | undefined,
  sources: CompletionSources,
): Promise<readonly string[]> {
  if (choices !== undefined) return choices
  switch (name) {
    case 'store':
    case 'parent':
      return storeNames(sources)
    case 'peer':
      return peerReferences(sources)
    case 'invite':
      return openInvites(sources)
    case 'type':
      return (await sources.backend.node.listStoreTypes({}, { signal: sources.signal })).storeTypes
    case 'topic': {
      const selected = await sources.selected()
      return [
        ...sources.program.commands.map(nameOf),
        ...Object.keys(HELP_TOPICS),
        ...(selected?.described.methods ?? []).map(commandName),
      ]
    }
    case 'number':
      return [...sources.subscriptions.map(String), 'all']
    default:
      return []
  }
}

/** Names and the beginnings of keys of the selected store's peers. */
async function peerReferences({ backend, signal, current }: CompletionSources): Promise<readonly string[]> {
  if (current === undefined) return []
  const { peers } = await backend.store.listPeers({ storeId: current.id }, { signal })
  return peers.flatMap(({ name, publicKey }) => [name, formatId(publicKey)].filter((each) => each !== ''))
}

/** Those that can still be cancelled. */
async function openInvites({ backend, signal, current }: CompletionSources): Promise<readonly string[]> {
  if (current === undefined) return []
  const { invites } = await backend.store.listInvites({ storeId: current.id }, { signal })
  return invites.filter(({ status }) => status === system.InviteStatus.OPEN).map(({ tokenHash }) => formatId(tokenHash))
}

async function storeNames({ backend, signal }: CompletionSources): Promise<readonly string[]> {
  const { stores } = await backend.store.list({}, { signal })
  return stores.flatMap((store) => [store.path, store.name, toHex(store.id)].filter((name) => name !== ''))
}

interface MethodPlace {
  readonly method: StoreMethod
  readonly selected: SelectedStore
  readonly sources: CompletionSources
}

async function methodWords(
  { method, selected, sources }: MethodPlace,
  words: readonly string[],
): Promise<readonly string[]> {
  const partial = words.at(-1) ?? ''
  const field = fieldAt(method, words)
  const at = partial.indexOf('=')
  const isNamed =
    field !== undefined && (partial.slice(0, at) === field.name || partial.slice(0, at) === field.jsonName)
  const head = isNamed ? partial.slice(0, at + 1) : ''
  const values =
    field === undefined ? [] : await fieldValues(field, partial.slice(head.length), { method, selected, sources })
  const fields = isNamed ? [] : method.input.fields.map((each) => `${each.name}=`)
  return [...values.map((value) => `${head}${value}`), ...fields]
}

async function fieldValues(field: DescField, partial: string, place: MethodPlace): Promise<readonly string[]> {
  if (field.enum !== undefined) return field.enum.values.map((value) => value.localName.toLowerCase())
  if (field.name === 'key' || field.name === 'prefix') return keysOf(place, partial)
  return []
}

/** Keys that begin with `partial`, from any store that can list by prefix. */
async function keysOf({ selected, sources }: MethodPlace, partial: string): Promise<readonly string[]> {
  const { store, described } = selected
  const list = described.methods.find((each) => each.kind === 'query' && each.name === 'List')
  const prefix = list?.input.fields.find((each) => each.name === 'prefix' && isBytes(each))
  const limit = list?.input.fields.find((each) => each.name === 'limit' && each.fieldKind === 'scalar')
  const items = list?.output.fields.find((each) => each.fieldKind === 'list' && each.message !== undefined)
  const key = items?.message?.fields.find((each) => each.name === 'key' && isBytes(each))
  const typed = parseBytes(partial)
  if (
    list === undefined ||
    prefix === undefined ||
    limit === undefined ||
    items === undefined ||
    key === undefined ||
    !typed.ok
  )
    return []
  const request = create(list.input)
  const fill = reflect(list.input, request)
  fill.set(prefix, typed.value)
  fill.set(limit, MAX_KEYS)
  const call = { storeId: store.id, method: list.name, request: toBinary(list.input, request) }
  const { response } = await sources.backend.dynamic.exec(call, { signal: sources.signal })
  const answer: unknown = reflect(list.output, fromBinary(list.output, response)).get(items)
  return keyTexts(answer, key, described)
}

function keyTexts(answer: unknown, key: DescField, { formatOf }: StoreInterface): readonly string[] {
  return [...elementsOf(answer)]
    .slice(0, MAX_KEYS)
    .filter(isReflectMessage)
    .map((item): unknown => item.get(key))
    .filter((bytes) => bytes instanceof Uint8Array)
    .map((bytes) => formatBytes(bytes, formatOf(key)))
}
