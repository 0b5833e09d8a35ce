import { errorMessage, UserError } from '../../base/index.ts'
import { type Exec, realExec } from '../../host/index.ts'
import { type CIDR, cidrContainsCIDR, formatCIDR, parseCIDR } from '../../ip/index.ts'

const LOOPBACK = parseCIDR('127.0.0.0/8')

/**
 * Makes every address of a range one of this machine; the result takes that back. Nothing is to be done for loopback addresses: Linux has them all. Throws
 * `UserError` without the rights. After a kill the route stays, and the next start takes it over.
 */
export const claimRange = async (cidr: CIDR, exec: Exec = realExec): Promise<() => Promise<void>> => {
  if (LOOPBACK !== undefined && cidrContainsCIDR(LOOPBACK, cidr)) return async () => {}
  const route = ['local', formatCIDR(cidr), 'dev', 'lo'] as const
  try {
    await exec(['ip', 'route', 'replace', ...route])
  } catch (error) {
    throw new UserError(
      `--vip-cidr: ${formatCIDR(cidr)} can't be made addresses of this machine: run as root, or choose a range in 127.0.0.0/8`,
      {
        cause: error,
      },
    )
  }
  return async () => {
    await exec(['ip', 'route', 'del', ...route]).catch((error: unknown) => {
      throw new UserError(`the local route of ${formatCIDR(cidr)} can't be removed: ${errorMessage(error)}`, { cause: error })
    })
  }
}
