// What a person prefers, kept in the browser: palette and language. The key is never here.

export function recall(name) {
  try {
    return localStorage.getItem(`parley.${name}`) ?? "";
  } catch {
    return "";
  }
}

export function keep(name, value) {
  try {
    if (value) localStorage.setItem(`parley.${name}`, value);
    else localStorage.removeItem(`parley.${name}`);
  } catch {
    // It holds until the page is closed.
  }
}
