/**
 * Regular expressions of the `format`s that are enforced: those of JSON Schema 2020-12 whose
 * syntax is regular. They may be narrower than the standards, never wider.
 */
const MONTHS_AND_DAYS =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])' +
  '|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)' +
  '|02-(?:0[1-9]|1[0-9]|2[0-8]))';
const LEAP_YEAR = '(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)';
const DATE = `(?:[0-9]{4}-${MONTHS_AND_DAYS}|${LEAP_YEAR}-02-29)`;
const CLOCK = '(?:[01][0-9]|2[0-3]):[0-5][0-9]';
const TIME = String.raw`${CLOCK}:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-]${CLOCK})`;

const IPV4_PART = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = String.raw`(?:${IPV4_PART}\.){3}${IPV4_PART}`;
const HEX_GROUP = '[0-9a-fA-F]{1,4}';
/** Full form, and `::` in all its places (RFC 4291, section 2.2). */
const IPV6 = [
  `(?:${HEX_GROUP}:){7}${HEX_GROUP}`,
  ...Array.from({ length: 8 }, (_, left) => {
    const before = left === 0 ? ':' : `(?:${HEX_GROUP}:){${left}}`;
    const after = 7 - left;
    return after === 0
      ? `${before}:`
      : `${before}:(?:${HEX_GROUP}(?::${HEX_GROUP}){0,${after - 1}})?`;
  }),
].join('|');

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOSTNAME = String.raw`${LABEL}(?:\.${LABEL}){0,4}`;
const ATOM = '[A-Za-z0-9_%+-]{1,32}';
const EMAIL = String.raw`${ATOM}(?:\.${ATOM}){0,3}@(?:${LABEL}\.){1,4}[A-Za-z]{2,24}`;

const UUID = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';
const DURATION_TIME = '(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))';
const DURATION_DATE = '(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)';
const DURATION = `P(?:[0-9]+W|${DURATION_DATE}${DURATION_TIME}?|${DURATION_TIME})`;

const PATH_CHARACTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})";
const URI =
  `[a-zA-Z][a-zA-Z0-9+.-]*://${HOSTNAME}(?::[0-9]{1,5})?(?:/${PATH_CHARACTER}*)*` +
  String.raw`(?:\?(?:${PATH_CHARACTER}|[/?])*)?(?:#(?:${PATH_CHARACTER}|[/?])*)?`;

export const STRING_FORMATS: ReadonlyMap<string, string> = new Map([
  ['date', DATE],
  ['time', TIME],
  ['date-time', `${DATE}T${TIME}`],
  ['duration', DURATION],
  ['ipv4', IPV4],
  ['ipv6', `(?:${IPV6})`],
  ['hostname', HOSTNAME],
  ['email', EMAIL],
  ['uuid', UUID],
  ['uri', URI],
  ['url', URI],
]);
