import "./app.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { prefs } from "./lib/prefs.svelte";

const target = document.getElementById("app");
if (target) void prefs.begin().finally(() => mount(App, { target }));
