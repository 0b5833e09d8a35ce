import { type Chain, type Command, type Element, type NamedSet, ruleMark, type Transaction } from './objects.ts'

/** A transaction as input for `nft -f`: one command a line, elements in commands of {@link ELEMENTS_A_COMMAND}. Fails on text that could end a command. */
export const renderTransaction = ({ table, commands }: Transaction): string => {
  const place = `${table.family} ${plainName(table.name)}`
  return commands.flatMap((command) => renderCommand(place, command)).join('')
}

/** Long commands cost nft more memory, short ones more time. */
const ELEMENTS_A_COMMAND = 2_000

const renderCommand = (place: string, command: Command): readonly string[] => {
  switch (command.kind) {
    case 'add table':
      return [`add table ${place}\n`]
    case 'delete table':
      return [`add table ${place}\n`, `delete table ${place}\n`]
    case 'add set':
      return [renderSet(place, command.set)]
    case 'add chain':
      return [renderChain(place, command.chain)]
    case 'set rules': {
      const chain = plainName(command.chain)
      return [
        `flush chain ${place} ${chain}\n`,
        ...command.rules.map((rule) => `add rule ${place} ${chain} ${plainRule(rule)} comment "${ruleMark(rule)}"\n`),
      ]
    }
    case 'delete chain':
      return [`delete chain ${place} ${plainName(command.chain)}\n`]
    case 'delete set':
      return [`delete ${command.isMap ? 'map' : 'set'} ${place} ${plainName(command.set)}\n`]
    case 'add elements':
      return renderElements(`add element ${place}`, command.elements, ({ key, value }) =>
        value === undefined ? plainText(key) : `${plainText(key)} : ${plainText(value)}`,
      )
    case 'delete elements':
      return renderElements(`delete element ${place}`, command.elements, ({ key }) => plainText(key))
    default:
      return command satisfies never
  }
}

const renderSet = (place: string, { name, type, data, flags = [], size }: NamedSet): string => {
  const words = [
    `type ${type.join(' . ')}${data === undefined ? '' : ` : ${data.join(' . ')}`} ;`,
    ...(size === undefined ? [] : [`size ${size} ;`]),
    ...(flags.length === 0 ? [] : [`flags ${flags.join(',')} ;`]),
  ]
  return `add ${data === undefined ? 'set' : 'map'} ${place} ${plainName(name)} { ${words.join(' ')} }\n`
}

const renderChain = (place: string, { name, hook }: Chain): string => {
  const base = hook === undefined ? '' : ` { type ${hook.type} hook ${hook.hook} priority ${hook.priority} ; policy accept ; }`
  return `add chain ${place} ${plainName(name)}${base}\n`
}

const renderElements = (start: string, elements: readonly Element[], text: (element: Element) => string): readonly string[] => {
  const bySet = new Map<string, Element[]>()
  for (const element of elements) {
    const known = bySet.get(element.set)
    if (known === undefined) bySet.set(element.set, [element])
    else known.push(element)
  }
  return [...bySet].flatMap(([set, members]) => {
    const commands: string[] = []
    for (let from = 0; from < members.length; from += ELEMENTS_A_COMMAND) {
      const some = members.slice(from, from + ELEMENTS_A_COMMAND).map(text)
      commands.push(`${start} ${plainName(set)} { ${some.join(', ')} }\n`)
    }
    return commands
  })
}

const plain = (text: string, pattern: RegExp): string => {
  if (!pattern.test(text)) throw new Error(`nft: ${JSON.stringify(text.slice(0, 100))} is not plain text`)
  return text
}

const plainName = (text: string): string => plain(text, /^[a-zA-Z][\w-]{0,127}$/)
const plainText = (text: string): string => plain(text, /^[\w.:/ -]+$/)
const plainRule = (text: string): string => plain(text, /^[\w.:/ @{}!=-]+$/)
