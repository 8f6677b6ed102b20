// The bytes a second of each session and room in the last minutes, and their small charts.

/** Seconds of a chart: one value a second. */
const LENGTH = 180;

/** The size of a chart, in pixels of CSS. */
const WIDTH = 90;
const HEIGHT = 22;

export class Rates {
  #known = new Map();

  /** Takes the sums of all that there are now; forgets the others. `key` names one. */
  update(items, key) {
    const now = performance.now();
    for (const item of items) {
      const sum = item.in.bytes + item.out.bytes;
      const name = key(item);
      let rate = this.#known.get(name);
      if (!rate) {
        rate = { values: new Float32Array(LENGTH), next: 0, sum, at: now, seen: now };
        this.#known.set(name, rate);
      }
      rate.seen = now;
      if (now > rate.at) {
        rate.values[rate.next] = Math.max(0, sum - rate.sum) / ((now - rate.at) / 1000);
        rate.next = (rate.next + 1) % LENGTH;
        rate.sum = sum;
        rate.at = now;
      }
    }
    for (const [name, rate] of this.#known) {
      if (rate.seen !== now) this.#known.delete(name);
    }
  }

  /** The number of charts that are kept. */
  get size() {
    return this.#known.size;
  }

  /** Bytes a second now. */
  latest(name) {
    const rate = this.#known.get(name);
    return rate ? rate.values[(rate.next + LENGTH - 1) % LENGTH] : 0;
  }

  /** Draws the chart, oldest at the left. */
  draw(canvas, name) {
    const scale = Math.min(3, devicePixelRatio || 1);
    if (canvas.width !== WIDTH * scale) {
      canvas.width = WIDTH * scale;
      canvas.height = HEIGHT * scale;
    }
    const context = canvas.getContext('2d');
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    const style = getComputedStyle(canvas);
    context.strokeStyle = style.borderColor;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, HEIGHT - 0.5);
    context.lineTo(WIDTH, HEIGHT - 0.5);
    context.stroke();
    const rate = this.#known.get(name);
    if (!rate) return;
    const most = rate.values.reduce((most, value) => Math.max(most, value), 0);
    if (most === 0) return;
    context.strokeStyle = style.color;
    context.fillStyle = style.color;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let at = 0; at < LENGTH; at += 1) {
      const value = rate.values[(rate.next + at) % LENGTH];
      context.lineTo((at / (LENGTH - 1)) * WIDTH, HEIGHT - 1 - (value / most) * (HEIGHT - 3));
    }
    context.stroke();
    context.lineTo(WIDTH, HEIGHT);
    context.lineTo(0, HEIGHT);
    context.globalAlpha = 0.15;
    context.fill();
    context.globalAlpha = 1;
  }
}
