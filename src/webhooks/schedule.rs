//! When a delivery that failed is tried again.

use std::str::FromStr;
use std::time::Duration;

/// Pauses between the tries of a delivery: the first try comes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// The text is no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be up to 50 pauses of at most 30 days such as 500ms, 5s, 5m or 2h, separated by commas")]
pub struct InvalidSchedule;

/// Most pauses of a schedule.
const PAUSES: usize = 50;
/// Longest pause.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// The longest time for which a receiver can ask to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);
/// Pauses vary by a fifth both ways: who failed together does not come back together.
const JITTER: f64 = 0.2;

impl Schedule {
    /// How long to wait before the next try after `tried` ones have failed; `None` when that was the last.
    ///
    /// `max_retries` cuts the schedule short. Who asks to be left alone for a time is, for a day at most. `chance` is
    /// evenly spread from 0 to 1.
    pub fn pause(
        &self,
        tried: u32,
        max_retries: Option<u32>,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        let index = tried.saturating_sub(1);
        if max_retries.is_some_and(|most| index >= most) {
            return None;
        }
        let pause = self.0.get(usize::try_from(index).unwrap_or(usize::MAX))?;
        let pause = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance.clamp(0.0, 1.0));
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        Some(pause.max(asked))
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let pauses: Option<Vec<Duration>> = text.split(',').map(|part| pause(part.trim())).collect();
        let pauses = pauses.ok_or(InvalidSchedule)?;
        let good = pauses.len() <= PAUSES && pauses.iter().all(|pause| *pause <= LONGEST);
        good.then_some(Self(pauses)).ok_or(InvalidSchedule)
    }
}

fn pause(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(u64::from(number) * millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::WebhookConfig;

    fn default() -> Schedule {
        WebhookConfig::default().webhook_retry_schedule
    }

    #[test]
    fn the_usual_schedule_has_ten_tries_in_three_days() {
        let pauses: Vec<u64> = (1..=9)
            .map(|tried| default().pause(tried, None, None, 0.5).unwrap().as_secs())
            .collect();
        assert_eq!(
            pauses,
            [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
        );
        assert_eq!(default().pause(10, None, None, 0.5), None);
    }

    #[test]
    fn an_endpoint_cuts_it_short() {
        assert_eq!(default().pause(1, Some(0), None, 0.5), None);
        assert!(default().pause(2, Some(2), None, 0.5).is_some());
        assert_eq!(default().pause(3, Some(2), None, 0.5), None);
        assert_eq!(default().pause(10, Some(20), None, 0.5), None);
    }

    #[test]
    fn who_wants_to_be_left_alone_is_for_a_day_at_most() {
        let pause = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            default().pause(1, None, asked, 0.5).unwrap().as_secs()
        };
        assert_eq!((pause(1), pause(60), pause(u64::MAX)), (5, 60, 86_400));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5s,",
            "-1s",
            "5 s",
            "5d",
            "1.5s",
            "99999999999s",
            "721h",
        ] {
            assert_eq!(text.parse::<Schedule>(), Err(InvalidSchedule), "{text}");
        }
        assert!("1s,".repeat(50).trim_end_matches(',').parse::<Schedule>().is_ok());
        assert!(
            "1s,"
                .repeat(51)
                .trim_end_matches(',')
                .parse::<Schedule>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn pauses_vary_by_a_fifth(tried in 1_u32..10, chance in 0.0_f64..=1.0) {
            let middle = default().pause(tried, None, None, 0.5).unwrap().as_secs_f64();
            let pause = default().pause(tried, None, None, chance).unwrap().as_secs_f64();
            prop_assert!((0.799..=1.201).contains(&(pause / middle)));
        }

        #[test]
        fn any_text_is_a_schedule_or_none(text in "\\PC{0,30}|([0-9]{1,6}(ms|s|m|h|d| )?,?){1,6}") {
            if let Ok(schedule) = text.parse::<Schedule>() {
                prop_assert!(schedule.pause(1, None, None, 1.0).is_some());
            }
        }
    }
}
