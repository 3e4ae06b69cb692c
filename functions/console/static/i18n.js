// Languages: sentences from the tables beside this file, plurals by the language's own rules.

import { en } from "./en.js";
import { ko } from "./ko.js";
import { recall, keep } from "./prefs.js";

const TABLES = { en, ko };
export const LANGUAGES = { en: "English", ko: "한국어" };

function preferred() {
  const kept = recall("language");
  if (kept in TABLES) return kept;
  const asked = (navigator.languages ?? [navigator.language]).map((name) => name.slice(0, 2));
  return asked.find((name) => name in TABLES) ?? "en";
}

let language = preferred();
let plurals = new Intl.PluralRules(language);
document.documentElement.lang = language;

export const currentLanguage = () => language;

// For numbers and dates: the reader's own variant of the language, where there is one.
export function locale() {
  const own = (navigator.languages ?? []).find((name) => name.slice(0, 2) === language);
  return own ?? (language === "ko" ? "ko-KR" : "en-US");
}

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
