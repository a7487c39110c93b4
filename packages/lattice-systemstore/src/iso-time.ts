/**
 * A time for people: ISO 8601 in UTC.
 *
 * By calendar arithmetic, since the layer has no clock and no calendar of the platform.
 *
 * @module
 */
import { assert } from '@lattice/model'

const MS_PER_DAY = 86_400_000
/** In the Gregorian calendar all repeats after 400 years. */
const DAYS_PER_ERA = 146_097
/** Days from the first of March of the year 0, where a count by eras begins, to the Unix epoch. */
const EPOCH_DAYS = 719_468

/** `2026-11-27T14:32:04.000Z`. Whole milliseconds since the Unix epoch, not before it. */
export function isoTime(milliseconds: number): string {
  assert(Number.isSafeInteger(milliseconds) && milliseconds >= 0, 'a time is a whole number of milliseconds')
  const { year, month, day } = dateOf(Math.floor(milliseconds / MS_PER_DAY))
  const ofDay = milliseconds % MS_PER_DAY
  const time = [ofDay / 3_600_000, (ofDay / 60_000) % 60, (ofDay / 1000) % 60].map((part) =>
    digits(Math.floor(part), 2),
  )
  // Beyond four digits a sign is due, and six digits.
  const shownYear = year > 9999 ? `+${digits(year, 6)}` : digits(year, 4)
  return `${shownYear}-${digits(month, 2)}-${digits(day, 2)}T${time.join(':')}.${digits(ofDay % 1000, 3)}Z`
}

/** Years are counted from March, so that a leap day is the last of its year. */
function dateOf(daysSinceEpoch: number): { readonly year: number; readonly month: number; readonly day: number } {
  const days = daysSinceEpoch + EPOCH_DAYS
  const era = Math.floor(days / DAYS_PER_ERA)
  const ofEra = days % DAYS_PER_ERA
  const leapDays = Math.floor(ofEra / 1460) - Math.floor(ofEra / 36_524) + Math.floor(ofEra / 146_096)
  const yearOfEra = Math.floor((ofEra - leapDays) / 365)
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  // From March on, five months have 153 days.
  const monthFromMarch = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day }
}

function digits(value: number, width: number): string {
  return value.toString().padStart(width, '0')
}
