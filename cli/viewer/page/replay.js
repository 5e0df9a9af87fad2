// The replay: the same clock for the flow and the waterfall, stretched so that one can follow it.
import { draw, el } from "./dom.js";
import { count, ms, sentence } from "./words.js";

const BEFORE = -0.06;
const AFTER = 1.04;
const SECONDS = 9;
const STEPS = 1000;
const SPEEDS = [1, 2, 0.25, 0.5];
const SHAPES = { play: "M2 1l11 6-11 6z", pause: "M2 1h3.500v12h-3.500zM8.500 1h3.500v12h-3.500z", again: "M7 1.500a5.500 5.500 0 1 1-5.200 3.700l2 .7a3.400 3.400 0 1 0 3.200-2.300v2.400l-4-3.400 4-3.300z" };

export class Replay {
  constructor(trace, scale, show) {
    this.trace = trace;
    this.scale = scale;
    this.show = show;
    this.begun = [...trace.rows].filter((row) => row.step !== "database").sort((a, b) => a.start - b.start);
    this.speed = 0;
    this.playing = false;
    this.icon = draw("path", { d: SHAPES.play });
    this.play = el("button", { type: "button", class: "play", onclick: () => this.toggle() }, draw("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, this.icon));
    this.slider = el("input", { type: "range", min: 0, max: STEPS, value: STEPS, "aria-label": "Moment of the trace", oninput: () => {
      this.playing = false;
      this.to(BEFORE + (AFTER - BEFORE) * (Number(this.slider.value) / STEPS));
    } });
    this.output = el("output", {});
    this.rate = el("button", { type: "button", class: "quiet speed", title: "How fast it is replayed", onclick: () => {
      this.speed = (this.speed + 1) % SPEEDS.length;
      this.rate.textContent = `${SPEEDS[this.speed]} ×`;
    } }, "1 ×");
    this.caption = el("p", { class: "caption" });
    this.node = el("div", {}, el("div", { class: "replay" }, this.play, this.slider, this.output, this.rate), this.caption);
    this.to(AFTER);
  }

  to(at) {
    this.at = Math.min(AFTER, Math.max(BEFORE, at));
    const over = this.at >= AFTER;
    const moment = this.scale.moment(Math.min(1, Math.max(0, this.at)));
    this.slider.value = String(Math.round(((this.at - BEFORE) / (AFTER - BEFORE)) * STEPS));
    this.slider.setAttribute("aria-valuetext", ms(moment));
    this.output.textContent = ms(moment);
    this.caption.textContent = over ? this.ending() : this.saying(moment);
    this.icon.setAttribute("d", this.playing ? SHAPES.pause : over ? SHAPES.again : SHAPES.play);
    this.play.setAttribute("aria-label", this.playing ? "Pause" : over ? "Replay" : "Play");
    this.show(this.at, over);
  }

  saying(moment) {
    if (this.at < 0) return "Somebody asks …";
    const fold = this.scale.folds().find((each) => this.at > each.left && this.at < each.right);
    if (fold) return `Nothing happens for ${ms(fold.waits)}`;
    const last = this.begun.filter((row) => row.start <= moment).pop();
    return last ? sentence(last) : "";
  }

  ending() {
    const records = this.trace.rows.filter((row) => row.step === "publish").length;
    const hears = this.trace.rows.filter((row) => row.step === "hear").length;
    const tasks = this.trace.rows.filter((row) => row.step === "task").length;
    const parts = [records && `${count(records, "commit")} published`, hears && `heard ${count(hears, "time")}`, tasks && `${count(tasks, "task")} done`];
    return parts.filter(Boolean).join(" · ") || "It was answered, and nothing was said on Kafka.";
  }

  toggle() { if (this.playing) this.pause(); else this.start(); }

  start() {
    if (this.at >= AFTER) this.at = BEFORE;
    this.playing = true;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      const passed = before === null ? 0 : Math.min(100, now - before);
      before = now;
      const next = this.at + ((AFTER - BEFORE) * passed * SPEEDS[this.speed]) / (SECONDS * 1000);
      if (next >= AFTER) this.playing = false;
      this.to(next);
      if (this.playing) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() { this.playing = false; this.to(this.at); }
}
