// Languages: sentences from the tables beside this file, plurals by the language's own rules.

import { en } from "./en.js";
import { ko } from "./ko.js";
import { recall, keep } from "./prefs.js";

const TABLES = { en, ko };
export const LANGUAGES = { en: "English", ko: "한국어" };

// The standard's tags among what a browser says. Where LANG is C, that is "en-US@posix", which Intl refuses.
const understood = (tags) => tags.flatMap((tag) => {
  try {
    return Intl.getCanonicalLocales(String(tag).replace(/[@.].*$/, "").replaceAll("_", "-"));
  } catch {
    return [];
  }
});

const primary = (tag) => tag.split("-")[0];
const browsers = () => navigator.languages ?? [navigator.language];

// The first of the languages asked for that there is.
export const languageOf = (tags) => understood(tags).map(primary).find((name) => Object.hasOwn(TABLES, name)) ?? "en";

// The reader's own variant of a language, where there is one.
export const localeOf = (name, tags) => understood(tags).find((tag) => primary(tag) === name) ?? (name === "ko" ? "ko-KR" : "en-US");

function preferred() {
  const kept = recall("language");
  return kept in TABLES ? kept : languageOf(browsers());
}

let language = preferred();
let plurals = new Intl.PluralRules(language);
document.documentElement.lang = language;

export const currentLanguage = () => language;

// For numbers and dates.
export const locale = () => localeOf(language, browsers());

export function setLanguage(name) {
  language = name;
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = name;
  keep("language", name);
}

// The sentence of a name; `{count}` chooses the plural where the table has more than one form.
export function t(name, values = {}) {
  let sentence = TABLES[language][name];
  if (sentence === undefined) return name;
  if (typeof sentence === "object") sentence = sentence[plurals.select(values.n ?? values.count ?? 0)] ?? sentence.other;
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

// The sentence of a word that the interface chose, such as a state; the word itself if it is new.
export function word(family, name) {
  const sentence = TABLES[language][`${family}.${name}`];
  return typeof sentence === "string" ? sentence : String(name);
}
