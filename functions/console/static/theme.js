// Runs before the first paint, so that nobody is blinded by the wrong palette for a moment.
try {
  const chosen = localStorage.getItem("parley.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing shows the system's palette.
}
