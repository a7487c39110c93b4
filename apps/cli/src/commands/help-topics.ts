/**
 * What no one command explains: pages of `lattice help TOPIC`.
 *
 * @module
 */
export interface HelpTopic {
  readonly summary: string
  readonly text: string
}

const STORES = `Stores

A store is data that is replicated as a whole, and has one type. A root is joined
by invite. Below it are child stores, at any depth; with them it is a mesh.

  lattice store create team
  lattice store create notes --parent team
  lattice store list --tree

Where a command takes STORE, it is an id, 4 or more digits of one, a name, or a
path from the root down, such as team/notes. Equal names are told apart by a
longer path or by the id. A command is about --store, else LATTICE_STORE, else
what 'use' chose in the REPL, else the only store there is.

Whose peers a child has, by --strategy:
  inherited    its parent's, at any time; whoever has the parent gets the child
  independent  its own, who are invited to it
  snapshot     its own; in the beginning those that its parent has then

What a store can be:
  active         in use
  bootstrapping  being received
  archived       closed on every node; the data is kept
  left           not replicated here any more; the data is kept
  not joined     nothing of it is here; it takes an invite
  destroyed      ended for everybody; its name is free again
  failed         it did not open: 'store verify' and 'store repair'

What can be done:
  archive, unarchive  close a child on every node, and open it again
  destroy             end a root, or an archived child, for everybody; a node
                      deletes its data once all peers that write have
                      acknowledged the end
  leave, rejoin       stop replicating a root, or a child with peers of its own,
                      on this node, with what is below it; and take part again
  delete              remove the data of what was left, archived or destroyed
                      from this node`

const PEERS = `Peers

The peers of a store are the nodes that share it.

  lattice --store team peer list
  lattice --store team peer set-name 3f2a9c01 nas
  lattice --store team peer role nas admin

Where a command takes PEER, it is the name of a peer, or 4 or more digits of its
key.

Roles:
  reader  receives
  writer  writes, too
  admin   also changes peers, invites and child stores

A role can be made stronger, not weaker.

A peer that is away for long can be marked as dormant, so that nobody waits for
its acknowledgements; 'peer dormant PEER --back' ends that.

LAG says what a peer has not shown to have seen. 'synced' is said of equal data
only, and of peers that are connected.

How others become peers: lattice help invites`

const INVITES = `Invites

An invite is a token: one line that begins with lattice1. Whoever has it may join
the store, so treat it as a password. It is good for one node and for 24 hours
unless you say otherwise.

  lattice --store team peer invite --uses 3 --expires 7d
  lattice --store team peer invite --qr

On the other node:

  lattice store join TOKEN

The node that made a token is the only one that accepts it, so it has to run and
be reachable. A join that was interrupted goes on by itself.

  lattice --store team peer invites
  lattice --store team peer cancel-invite 3f2a

A token is refused, and leaves nothing behind, when it is
  mistyped          TOKEN_MALFORMED  copy it again, whole
  expired           TOKEN_EXPIRED    ask for a new one
  used up           TOKEN_USED       ask for a new one
  cancelled         TOKEN_REVOKED    ask whoever invited you
  not known there   TOKEN_UNKNOWN    the store is gone there, or never was
  of this node      TOKEN_FOREIGN    give it to another node`

export const HELP_TOPICS: Readonly<Record<string, HelpTopic>> = {
  stores: { summary: 'roots and children, paths, states', text: STORES },
  peers: { summary: 'who shares a store, roles, lag', text: PEERS },
  invites: { summary: 'tokens, and why one is refused', text: INVITES },
}

/** The topics, one line each. */
export function topicList(): string {
  const lines = Object.entries(HELP_TOPICS).map(([name, { summary }]) => `  help ${name.padEnd(9)} ${summary}`)
  return ['Topics:', ...lines].join('\n')
}
