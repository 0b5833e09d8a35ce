/** A refusal as the cloud states it: `code` is one of the documented ones. */
export class CloudError extends Error {
  override readonly name = 'CloudError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export const missing = (at: string): CloudError =>
  new CloudError('MissingParameter', `The request is missing a required parameter \`${at}\`.`)

export const notOfType = (at: string, type: string): CloudError =>
  new CloudError('InvalidParameter', `The value type of parameter \`${at}\` is not valid: ${type} is expected.`)

export const badValue = (at: string, reason: string): CloudError =>
  new CloudError('InvalidParameterValue', `The value of parameter \`${at}\` is not valid: ${reason}.`)

export const outOfRange = (at: string, reason: string): CloudError =>
  new CloudError('InvalidParameterValue.Range', `The value of parameter \`${at}\` is out of range: ${reason}.`)

export const badLength = (at: string, reason: string): CloudError =>
  new CloudError('InvalidParameterValue.Length', `The length of parameter \`${at}\` is not valid: ${reason}.`)

export const duplicate = (reason: string): CloudError => new CloudError('InvalidParameterValue.Duplicate', reason)

export const noLoadBalancer = (id: string): CloudError =>
  new CloudError('InvalidParameter.LBIdNotFound', `LoadBalancer ${id} does not exist.`)

export const noListener = (id: string): CloudError =>
  new CloudError('InvalidParameter.ListenerIdNotFound', `Listener ${id} does not exist.`)

export const noLocation = (what: string): CloudError =>
  new CloudError('InvalidParameter.LocationNotFound', `Location ${what} does not exist.`)

export const unsupported = (reason: string): CloudError => new CloudError('UnsupportedOperation', reason)

export const overQuota = (reason: string): CloudError => new CloudError('LimitExceeded', reason)
