// The pages in the order of the menu. The phone's bar has the most urgent; the rest is behind "more".

import type { IconName } from "../ui/Icon.svelte";
import type { PageName } from "../lib/route.svelte";

export interface Place {
  page: PageName;
  icon: IconName;
  href: string;
  inBar: boolean;
}

export const PLACES: readonly Place[] = [
  { page: "overview", icon: "overview", href: "#/", inBar: true },
  { page: "orders", icon: "orders", href: "#/orders", inBar: true },
  { page: "strategies", icon: "strategies", href: "#/strategies", inBar: false },
  { page: "risk", icon: "risk", href: "#/risk", inBar: true },
  { page: "system", icon: "system", href: "#/system", inBar: true },
  { page: "logs", icon: "logs", href: "#/logs", inBar: false },
  { page: "settings", icon: "settings", href: "#/settings", inBar: false },
];
