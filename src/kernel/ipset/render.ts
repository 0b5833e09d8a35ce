import { type Command, type IPSet, MAX_SET_NAME } from './objects.ts'

/** Commands as input for `ipset restore`, one a line. Fails on text that could end a command. */
export const renderCommands = (commands: readonly Command[]): string =>
  commands.map((command) => `${renderCommand(command)}\n`).join('')

/** One command as `ipset restore` takes it and `ipset save` prints it. */
export const renderCommand = (command: Command): string => {
  switch (command.kind) {
    case 'create':
      return renderCreate(command.set)
    case 'destroy':
    case 'flush':
      return `${command.kind} ${plainName(command.set)}`
    case 'swap':
      return `swap ${plainName(command.set)} ${plainName(command.with)}`
    case 'add':
    case 'delete': {
      const { set, entry } = command.member
      // Per command, as -exist for the whole input would also forgive a `create` of another kind.
      return `${command.kind === 'add' ? 'add' : 'del'} ${plainName(set)} ${plainEntry(entry)} -exist`
    }
    default:
      return command satisfies never
  }
}

const renderCreate = ({ name, type, family, maxElements }: IPSet): string => {
  if (type === 'bitmap:port') return `create ${plainName(name)} bitmap:port range 0-65535`
  const limit = maxElements === undefined ? '' : ` maxelem ${maxElements}`
  return `create ${plainName(name)} ${type} family ${family ?? 'inet'}${limit}`
}

const plainName = (text: string): string => {
  if (text.length > MAX_SET_NAME) throw new Error(`ipset: set name ${text} is longer than ${MAX_SET_NAME} characters`)
  return plain(text, /^[A-Za-z][\w-]*$/)
}
const plainEntry = (text: string): string => plain(text, /^[\w.:/,]+$/)

const plain = (text: string, pattern: RegExp): string => {
  if (!pattern.test(text)) throw new Error(`ipset: ${JSON.stringify(text.slice(0, 100))} is not plain text`)
  return text
}
