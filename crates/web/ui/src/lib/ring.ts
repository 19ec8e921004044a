/** A line of points of a fixed most; the oldest goes. Two typed arrays, so it never allocates again. */
export class Ring {
  private readonly times: Float64Array;
  private readonly values: Float64Array;
  private start = 0;
  length = 0;

  constructor(readonly capacity: number) {
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
  }

  push(time: number, value: number): void {
    if (this.length > 0 && time <= this.time(this.length - 1)) {
      // The same instant again: the later word counts. An earlier one is no news.
      if (time === this.time(this.length - 1)) this.values[(this.start + this.length - 1) % this.capacity] = value;
      return;
    }
    const at = (this.start + this.length) % this.capacity;
    this.times[at] = time;
    this.values[at] = value;
    if (this.length < this.capacity) this.length += 1;
    else this.start = (this.start + 1) % this.capacity;
  }

  time(index: number): number {
    return this.times[(this.start + index) % this.capacity] ?? 0;
  }

  value(index: number): number {
    return this.values[(this.start + index) % this.capacity] ?? 0;
  }

  clear(): void {
    this.start = 0;
    this.length = 0;
  }

  /** The first index at or after a time. */
  from(time: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
