//! One ledger's queue, event by event: requests come at random, a batch takes all that waits.

use super::costs::Costs;
use super::model::batch_seconds;

/// What a run of the queue showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// Events per second that were done.
    pub(crate) per_second: f64,
    /// Seconds from a request to its answer, in the mean.
    pub(crate) mean_seconds: f64,
    /// The same, for all but one of a hundred.
    pub(crate) p99_seconds: f64,
    /// Events per batch, in the mean.
    pub(crate) mean_batch: f64,
    /// Events that waited or were under way, in the mean over time.
    pub(crate) mean_present: f64,
}

/// Lets `count` requests come to a ledger, `rate` per second by chance, and answers them batch by batch.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are small and positive"
)]
pub(crate) fn run(costs: &Costs, writers: usize, rate: f64, count: usize) -> Waits {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut at = 0.0;
    let arrivals: Vec<f64> = (0..count)
        .map(|_| {
            at += -chance.next().ln() / rate;
            at
        })
        .collect();
    let most = costs.get("batch_events") as usize;
    let (mut now, mut done, mut batches) = (0.0_f64, 0, 0_usize);
    let mut waits = Vec::with_capacity(count);
    while done < count {
        now = now.max(arrivals[done]);
        let waiting = arrivals[done..].partition_point(|arrival| *arrival <= now);
        let batch = waiting.clamp(1, most);
        now += batch_seconds(costs, writers, batch as f64);
        waits.extend(arrivals[done..done + batch].iter().map(|arrival| now - arrival));
        done += batch;
        batches += 1;
    }
    let total: f64 = waits.iter().sum();
    waits.sort_by(f64::total_cmp);
    Waits {
        per_second: count as f64 / now,
        mean_seconds: total / count as f64,
        p99_seconds: waits[count * 99 / 100],
        mean_batch: count as f64 / batches as f64,
        mean_present: total / now,
    }
}

/// The same numbers at every run: xorshift*, of Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    /// Above 0, and at most 1.
    #[expect(clippy::cast_precision_loss, reason = "the 53 bits that are left fit")]
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        (bits + 1) as f64 / (1_u64 << 53) as f64
    }
}
