import { pino } from 'pino'

export type LogFields = Readonly<Record<string, unknown>>

/** Structured logging; the message is a constant phrase, what varies goes into the fields. Never log secrets. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** JSON lines on standard error, or into the file at `path`. */
export const createLogger = (options: { readonly level: LogLevel; readonly path?: string }): Logger =>
  fromPino(
    pino(
      { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: options.path ?? 2, sync: true, mkdir: true, append: true, mode: 0o600 }),
    ),
  )

const fromPino = (target: pino.Logger): Logger => ({
  debug: (message, fields) => target.debug(fields ?? {}, message),
  info: (message, fields) => target.info(fields ?? {}, message),
  warn: (message, fields) => target.warn(fields ?? {}, message),
  error: (message, fields) => target.error(fields ?? {}, message),
  child: (fields) => fromPino(target.child(fields)),
})

/** Discards everything. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
}
