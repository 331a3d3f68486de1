//! Rates that slide and values that decay, as the metriks library of Logstash's metrics filter computes them.

/// Seconds between two ticks.
const TICK: f64 = 5.0;
/// The windows in seconds: 1, 5 and 15 minutes.
const WINDOWS: [f64; 3] = [60.0, 300.0, 900.0];
/// Values that a timer keeps for its percentiles.
const SAMPLE: usize = 1028;

/// How often something happened, and how often a second lately.
#[derive(Default)]
pub(super) struct Meter {
    count: u64,
    uncounted: u64,
    rates: Option<[f64; 3]>,
}

impl Meter {
    pub(super) fn mark(&mut self) {
        self.count += 1;
        self.uncounted += 1;
    }

    /// Every five seconds.
    pub(super) fn tick(&mut self) {
        let now = std::mem::take(&mut self.uncounted) as f64 / TICK;
        self.rates = Some(match self.rates {
            None => [now; 3],
            Some(mut rates) => {
                for (rate, window) in rates.iter_mut().zip(WINDOWS) {
                    *rate += (1.0 - (-TICK / window).exp()) * (now - *rate);
                }
                rates
            }
        });
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A second, over one of the windows.
    pub(super) fn rate(&self, window: usize) -> f64 {
        self.rates.map_or(0.0, |rates| rates[window])
    }
}

/// Values and how they are spread.
#[derive(Default)]
pub(super) struct Timer {
    pub(super) meter: Meter,
    sample: Vec<f64>,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared distances from the mean (Welford).
    squares: f64,
    dice: u64,
}

/// A sample in order.
pub(super) struct Sorted(Vec<f64>);

impl Timer {
    pub(super) fn update(&mut self, value: f64) {
        self.meter.mark();
        let count = self.meter.count() as f64;
        if self.meter.count() == 1 {
            (self.min, self.max) = (value, value);
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let distance = value - self.mean;
        self.mean += distance / count;
        self.squares += distance * (value - self.mean);
        if self.sample.len() < SAMPLE {
            self.sample.push(value);
            return;
        }
        // Each new value displaces a random one, so that old values are ever less likely to be left.
        let place = (self.roll() * SAMPLE as f64) as usize;
        self.sample[place.min(SAMPLE - 1)] = value;
    }

    /// From 0 to 1, by SplitMix64.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn min(&self) -> f64 {
        self.min
    }

    pub(super) fn max(&self) -> f64 {
        self.max
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    pub(super) fn deviation(&self) -> f64 {
        let count = self.meter.count();
        if count < 2 { 0.0 } else { (self.squares / (count - 1) as f64).sqrt() }
    }

    pub(super) fn sorted(&self) -> Sorted {
        let mut sorted = self.sample.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Sorted(sorted)
    }
}

impl Sorted {
    /// The value below which a part, from 0 to 1, of the sample lies; between two values in proportion.
    pub(super) fn at(&self, part: f64) -> f64 {
        let Sorted(values) = self;
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return 0.0 };
        let position = part * (values.len() + 1) as f64;
        if position < 1.0 {
            return *first;
        }
        if position >= values.len() as f64 {
            return *last;
        }
        let (lower, upper) = (values[position as usize - 1], values[position as usize]);
        lower + position.fract() * (upper - lower)
    }
}
