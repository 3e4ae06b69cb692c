// How numbers, times and addresses are written, in the reader's language.

import { locale, t } from "./i18n.js";

const made = new Map();

function maker(kind, options) {
  const key = `${locale()}${kind.name}${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new kind(locale(), options));
  return made.get(key);
}

const NOTHING = "–";

export function number(value) {
  return value === null || value === undefined ? NOTHING : maker(Intl.NumberFormat, {}).format(value);
}

export function compact(value) {
  return maker(Intl.NumberFormat, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function percent(share, digits = 1) {
  if (share === null || share === undefined) return NOTHING;
  return maker(Intl.NumberFormat, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

// Points between two shares, signed.
export function points(difference) {
  return maker(Intl.NumberFormat, { maximumFractionDigits: 1, signDisplay: "exceptZero" }).format(difference * 100);
}

export function signedPercent(share) {
  return maker(Intl.NumberFormat, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" }).format(share);
}

// "USD 0.0100", as the interface writes amounts, or a currency and its digits.
export function money(amount, currency) {
  if (amount === null || amount === undefined) return NOTHING;
  const parts = /^([A-Z]{3}) (-?[0-9.]+)$/.exec(amount);
  const [code, digits] = parts ? [parts[1], parts[2]] : [currency, amount];
  if (!code || !Number.isFinite(Number(digits))) return String(amount);
  const small = Math.abs(Number(digits)) < 1 && Number(digits) !== 0;
  return maker(Intl.NumberFormat, {
    style: "currency", currency: code, minimumFractionDigits: 2, maximumFractionDigits: small ? 4 : 2,
  }).format(Number(digits));
}

// Whole seconds is what is measured: nought of them is less than one.
export function seconds(value, { axis = false } = {}) {
  if (value === null || value === undefined) return NOTHING;
  const unit = (amount, name, digits) =>
    maker(Intl.NumberFormat, { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits }).format(amount);
  if (value < 1 && !axis) return `< ${unit(1, "second", 0)}`;
  if (value < 60) return unit(value, "second", value < 10 ? 1 : 0);
  if (value < 3600) return unit(value / 60, "minute", value < 600 ? 1 : 0);
  if (value < 86400) return unit(value / 3600, "hour", 1);
  return unit(value / 86400, "day", 1);
}

export function clock(at, exact = false) {
  return maker(Intl.DateTimeFormat, { hour: "2-digit", minute: "2-digit", ...(exact && { second: "2-digit" }) }).format(new Date(at));
}

export function day(at) {
  const date = new Date(at), today = new Date();
  const midnight = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  const ago = Math.round((midnight(today) - midnight(date)) / 86400000);
  if (ago === 0) return t("day.today");
  if (ago === 1) return t("day.yesterday");
  const year = date.getFullYear() === today.getFullYear() ? {} : { year: "numeric" };
  return maker(Intl.DateTimeFormat, { weekday: "short", month: "short", day: "numeric", ...year }).format(date);
}

export function dateTime(at) {
  return maker(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
}

// The shortest that is not in doubt: the time today, else the day.
export function moment(at) {
  const date = new Date(at);
  return date.toDateString() === new Date().toDateString() ? clock(at) : day(at);
}

export function relative(at) {
  const gap = (new Date(at) - Date.now()) / 1000;
  const [amount, unit] = Math.abs(gap) < 60 ? [gap, "second"] : Math.abs(gap) < 3600 ? [gap / 60, "minute"]
    : Math.abs(gap) < 86400 ? [gap / 3600, "hour"] : [gap / 86400, "day"];
  return maker(Intl.RelativeTimeFormat, { numeric: "auto" }).format(Math.round(amount), unit);
}

// North American numbers in groups; the others as they are, because their groups differ.
export function address(text) {
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(text ?? "");
  return american ? `+1 ${american[1]} ${american[2]} ${american[3]}` : String(text ?? "");
}
