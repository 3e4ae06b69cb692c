// Hands the key of the address on to the console, which keeps it for this tab, and takes it away.

const key = /^#key=([^&]+)$/.exec(location.hash)?.[1];
history.replaceState(null, "", location.pathname);
document.getElementById("console").src = document.body.dataset.console + (key ? `#key=${key}` : "");
