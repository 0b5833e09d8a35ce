import { fieldsOf, json, numberOf, type Parser, ShapeError, textOf } from './reading.ts'

/** Fields of CreateLoadBalancer that `extensiveParameters` may have. */
export type ExtensiveParameters = Readonly<Record<string, unknown>>

type Reader = (found: unknown, at: string) => unknown

const oneOf =
  (...allowed: readonly string[]): Reader =>
  (found, at) => {
    if (!allowed.some((each) => each === found)) throw new ShapeError(`${at} must be ${allowed.join(' or ')}`)
    return found
  }
const name: Reader = (found, at) => textOf(found, at)
const flag: Reader = (found, at) => {
  if (typeof found !== 'boolean') throw new ShapeError(`${at} must be true or false`)
  return found
}

export const CHARGE_TYPES = ['TRAFFIC_POSTPAID_BY_HOUR', 'BANDWIDTH_POSTPAID_BY_HOUR'] as const

const internetAccessible: Reader = (found, at) => {
  const { InternetChargeType, InternetMaxBandwidthOut } = fieldsOf(found, at, ['InternetChargeType', 'InternetMaxBandwidthOut'])
  return {
    ...(InternetChargeType !== undefined && {
      InternetChargeType: oneOf(...CHARGE_TYPES, 'BANDWIDTH_PACKAGE')(InternetChargeType, `${at}.InternetChargeType`),
    }),
    ...(InternetMaxBandwidthOut !== undefined && {
      InternetMaxBandwidthOut: numberOf(InternetMaxBandwidthOut, `${at}.InternetMaxBandwidthOut`, [0, 2_048]),
    }),
  }
}

const READERS: Readonly<Record<string, Reader>> = {
  AddressIPVersion: oneOf('IPV4', 'IPV6', 'IPv6FullChain'),
  VipIsp: oneOf('BGP', 'CMCC', 'CTCC', 'CUCC'),
  ZoneId: name,
  MasterZoneId: name,
  SlaveZoneId: name,
  LoadBalancerName: (found, at) => textOf(found, at, /^[^\p{C}]{1,60}$/u),
  Vip: (found, at) => textOf(found, at, /^[0-9a-fA-F.:]{2,45}$/),
  SlaType: name,
  BandwidthPackageId: name,
  SnatPro: flag,
  DynamicVip: flag,
  ProjectId: (found, at) => numberOf(found, at, [0, 2 ** 31]),
  InternetAccessible: internetAccessible,
}

export const extensiveParameters: Parser<ExtensiveParameters> = json((found) =>
  Object.fromEntries(
    Object.entries(fieldsOf(found, 'it', Object.keys(READERS))).map(([field, content]) => [
      field,
      READERS[field]?.(content, field),
    ]),
  ),
)
