// Where a moment of a trace is drawn: from 0 to 1, with long waiting folded, and a part of it when zoomed in.
const LABEL = 62;

export class Scale {
  constructor(timeline) {
    this.parts = timeline.length ? timeline : [{ from: 0, to: 1, left: 0, right: 1 }];
    this.reset();
  }

  reset() { this.low = 0; this.high = 1; }

  get zoomed() { return this.low > 0 || this.high < 1; }

  // Of the whole trace.
  at(moment) {
    for (const part of this.parts) {
      if (moment <= part.to) {
        const share = Math.max(0, moment - part.from) / Math.max(1e-9, part.to - part.from);
        return part.left + (part.right - part.left) * share;
      }
    }
    return 1;
  }

  // The moment that is drawn at a place of the whole.
  moment(place) {
    let before = null;
    for (const part of this.parts) {
      if (place <= part.right) {
        if (place >= part.left || !before) {
          const share = Math.max(0, place - part.left) / Math.max(1e-9, part.right - part.left);
          return part.from + (part.to - part.from) * share;
        }
        const share = (place - before.right) / (part.left - before.right);
        return before.to + (part.from - before.to) * share;
      }
      before = part;
    }
    return this.parts[this.parts.length - 1].to;
  }

  // In percent of what is visible.
  percent(place) { return ((place - this.low) / (this.high - this.low)) * 100; }

  show(low, high) {
    const width = Math.min(1, Math.max(0.002, high - low));
    this.low = Math.min(Math.max(0, low), 1 - width);
    this.high = this.low + width;
  }

  zoom(factor, around = (this.low + this.high) / 2) {
    this.show(around - (around - this.low) * factor, around + (this.high - around) * factor);
  }

  pan(share) { const by = (this.high - this.low) * share; this.show(this.low + by, this.high + by); }

  folds() {
    return this.parts.slice(1).map((part, index) => ({
      left: this.parts[index].right, right: part.left, waits: part.from - this.parts[index].to,
    }));
  }

  // Round moments for an axis of that many pixels, as far apart as their labels need.
  ticks(pixels) {
    const apart = (LABEL / Math.max(LABEL, pixels)) * 100;
    const about = Math.max(1, pixels / (LABEL * 1.3));
    const from = this.moment(this.low);
    const to = this.moment(this.high);
    const raw = (to - from) / about;
    const power = 10 ** Math.floor(Math.log10(raw || 1));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
    const found = [];
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      const place = this.percent(this.at(t));
      const inside = this.parts.some((part) => t >= part.from && t <= part.to);
      if (inside && (!found.length || place - found[found.length - 1].place > apart)) found.push({ place, says: step >= 1 ? String(Math.round(t)) : t.toFixed(Math.min(3, Math.ceil(-Math.log10(step)))) });
    }
    return found;
  }
}
