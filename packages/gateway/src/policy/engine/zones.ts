/** What the clock says in a time zone: minute of the day, weekday (1 Monday … 7 Sunday), date (`2026-11-21`). */
export interface ZoneTime {
  readonly minute: number;
  readonly weekday: number;
  readonly date: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether this is the name of a time zone (IANA). */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
    ...({ timeZone: zone, hourCycle: 'h23', weekday: 'short', year: 'numeric', month: '2-digit' } as const),
    ...({ day: '2-digit', hour: '2-digit', minute: '2-digit' } as const),
  });
  formats.set(zone, format);
  return format;
}

/** Times within one minute are the same here, and zones change on full minutes only. */
const minuteMs = 60_000;
const latest = new Map<string, { readonly minute: number; readonly time: ZoneTime }>();
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** The time in a zone that is one. @throws RangeError for others */
export function zoneTime(zone: string, timeMs: number): ZoneTime {
  const minute = Math.floor(timeMs / minuteMs);
  const known = latest.get(zone);
  if (known?.minute === minute) return known.time;
  const parts = new Map(
    formatOf(zone)
      .formatToParts(minute * minuteMs)
      .map(({ type, value }) => [type, value]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes): string => parts.get(name) ?? '';
  const time = {
    minute: Number(part('hour')) * 60 + Number(part('minute')),
    weekday: weekdays.indexOf(part('weekday')) + 1,
    date: `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`,
  };
  latest.set(zone, { minute, time });
  return time;
}
