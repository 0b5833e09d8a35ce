import type { TkeServiceConfig } from '../../../../api/index.ts'
import type { ObjectNames, Objects } from '../objects.ts'
import type { CertificateLookup } from '../plan-input.ts'

/** Objects that a test puts there. */
export interface TestObjects extends Objects {
  putConfig(name: string, config: TkeServiceConfig | undefined): void
  putCertificate(name: string, lookup: CertificateLookup | undefined): void
}

export const testObjects = (): TestObjects => {
  const configs = new Map<string, TkeServiceConfig | undefined>()
  const certificates = new Map<string, CertificateLookup | undefined>()
  const named = new Map<string, ObjectNames>()
  const handlers = new Set<(key: string) => void>()
  const tell = (kind: keyof ObjectNames, name: string): void => {
    for (const [key, names] of named) if (names[kind].includes(name)) for (const handler of handlers) handler(key)
  }
  return {
    follow: async (key, names) => void named.set(key, names),
    config: (name) => configs.get(name),
    certificate: (name) => certificates.get(name) ?? { problem: `there is no Secret ${name}` },
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
    putConfig(name, config) {
      configs.set(name, config)
      tell('configs', name)
    },
    putCertificate(name, lookup) {
      certificates.set(name, lookup)
      tell('secrets', name)
    },
  }
}
