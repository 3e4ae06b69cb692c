import { refill } from "./dom.js";
import { t } from "./i18n.js";
import { empty, heading } from "./ui.js";

export function mount(root) {
  refill(root, heading(t("nav.overview")), empty(t("error.notAvailable.title"), t("error.notAvailable")));
  return { destroy() {} };
}
