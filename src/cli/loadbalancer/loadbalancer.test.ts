import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { PROVIDER_NAMES, withLoadBalancerFlags } from './flags.ts'
import { PROVIDERS } from './providers.ts'
import { readSettings } from './settings.ts'

const given = (...args: readonly string[]) =>
  withLoadBalancerFlags(new Command('loadbalancer')).exitOverride().parse(args, { from: 'user' }).opts()

describe('the flags of fairway loadbalancer', () => {
  it('name the providers that there are', () => {
    expect(PROVIDERS.map(({ name }) => name)).toEqual(PROVIDER_NAMES)
  })

  it('have usual values', () => {
    const result = readSettings(given('--provider', 'local'), { POD_NAMESPACE: 'lb' })
    expect(result).toMatchObject({
      kind: 'settings',
      settings: {
        clusterId: 'default',
        prune: false,
        resyncMs: 600_000,
        workers: 4,
        election: { name: 'fairway-loadbalancer-local', namespace: 'lb' },
        health: { address: '0.0.0.0', port: 10_258 },
        metrics: { address: '127.0.0.1', port: 10_259 },
      },
    })
  })

  it.each([
    [[], '--provider is needed'],
    [['--provider', 'aws'], '--provider "aws" is not one of'],
    [['--provider', 'local', '--resync', '1s'], '--resync "1s" is not'],
    [['--provider', 'local', '--workers', '0'], '--workers "0" is not'],
    [['--provider', 'local', '--cluster-id', 'a b'], '--cluster-id "a b" is not'],
    [['--provider', 'local', '--health', 'here'], '--health "here" is not'],
    [['--provider', 'local', '--log-level', 'loud'], '--log-level "loud" is not'],
  ])('are checked: %j', (args, expected) => {
    const result = readSettings(given(...args), {})
    const text = result.kind === 'problems' ? result.problems.map(({ flag, reason }) => `${flag} ${reason}`).join() : ''
    expect(text).toContain(expected)
  })

  it('serve nowhere when told so', () => {
    const result = readSettings(given('--provider', 'local', '--health', '', '--metrics', ''), {})
    expect(result).toMatchObject({ settings: { health: undefined, metrics: undefined } })
  })
})
