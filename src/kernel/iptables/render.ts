import type { Command, TableChange, Transaction } from './objects.ts'

/** Input for one `iptables-restore --noflush`. Fails on text that could end a line. */
export const renderTransaction = (transaction: Transaction): string => transaction.map(renderTable).join('')

/**
 * The same in several inputs, to be given one after another: chains that are added go ahead, some at a time. iptables-nft looks every command's chain
 * up in a sorted list of all chains that its input names, so one input with 30,000 chains takes minutes where sixty take seconds.
 */
export const renderInBatches = (transaction: Transaction): readonly string[] => {
  const ahead: TableChange[] = []
  const rest = transaction.map(({ table, commands }) => {
    const added = commands.filter(({ kind }) => kind === 'add chain')
    if (added.length <= CHAINS_A_BATCH) return { table, commands }
    for (let from = 0; from < added.length; from += CHAINS_A_BATCH) {
      ahead.push({ table, commands: added.slice(from, from + CHAINS_A_BATCH) })
    }
    return { table, commands: commands.filter(({ kind }) => kind !== 'add chain') }
  })
  return [...ahead.map((change) => renderTransaction([change])), renderTransaction(rest)]
}

const CHAINS_A_BATCH = 500

const renderTable = ({ table, commands }: TableChange): string => {
  if (commands.length === 0) return ''
  // All chains first, so that rules may lead to any of them; chains that go are emptied first and removed last, when nothing leads to them.
  const declared = commands.flatMap((command) => (isChain(command) ? [`:${plainName(command.chain)} - [0:0]\n`] : []))
  const removed = commands.flatMap(({ kind, chain }) => (kind === 'delete chain' ? [`-X ${plainName(chain)}\n`] : []))
  return [`*${table}\n`, ...declared, ...commands.flatMap(renderRules), ...removed, 'COMMIT\n'].join('')
}

const isChain = ({ kind }: Command): boolean => kind === 'add chain' || kind === 'set chain' || kind === 'delete chain'

const renderRules = (command: Command): readonly string[] => {
  const chain = plainName(command.chain)
  switch (command.kind) {
    case 'add chain':
    case 'set chain':
      return command.rules.map((rule) => `-A ${chain} ${plainRule(rule)}\n`)
    case 'delete chain':
      return []
    case 'insert rule':
      return [`-I ${chain} ${plainRule(command.rule)}\n`]
    case 'append rule':
      return [`-A ${chain} ${plainRule(command.rule)}\n`]
    case 'delete rule':
      return [`-D ${chain} ${plainRule(command.rule)}\n`]
    default:
      return command satisfies never
  }
}

const plain = (text: string, pattern: RegExp): string => {
  if (!pattern.test(text)) throw new Error(`iptables: ${JSON.stringify(text.slice(0, 100))} is not plain text`)
  return text
}

/** The kernel keeps 28 characters. */
const plainName = (text: string): string => plain(text, /^[A-Za-z][\w-]{0,27}$/)
const plainRule = (text: string): string => plain(text, /^[\x20-\x7e]+$/)
