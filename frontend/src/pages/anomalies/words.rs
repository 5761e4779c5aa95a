//! Anomalies in words.

use vinzy_client::anomalies::Anomaly;

use crate::format;

/// From how many standard deviations on a value stands out.
const STANDS_OUT: f64 = 1.5;

/// Values that would not have stood out.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// The range in words.
    pub words: String,
}

/// Values that would not have stood out: those within one and a half standard deviations of the mean. Nothing below
/// zero is ever recorded.
pub fn expected(anomaly: &Anomaly) -> Expected {
    let (mean, spread) = (anomaly.baseline_mean.to_f64(), anomaly.baseline_stddev.to_f64());
    let low = STANDS_OUT.mul_add(-spread, mean).max(0.0);
    let high = STANDS_OUT.mul_add(spread, mean);
    // Both as finely as the greater one needs.
    let whole = high >= 100.0;
    let (least, most) = (rounded(low, whole), rounded(high, whole));
    let words = if least == most {
        least
    } else {
        format!("{least}\u{2013}{most}")
    };
    Expected { low, high, words }
}

fn rounded(value: f64, whole: bool) -> String {
    if whole {
        format::short(value.round())
    } else {
        format::short(value)
    }
}

/// Whether all values before were equal: then the score says no more than that.
fn has_no_spread(anomaly: &Anomaly) -> bool {
    anomaly.baseline_stddev.to_f64() <= 0.0
}

/// The score; where there was no spread, there is none.
pub fn score(anomaly: &Anomaly) -> String {
    if has_no_spread(anomaly) {
        "\u{2014}".to_owned()
    } else {
        format::short(anomaly.z_score.to_f64())
    }
}

/// What was seen: `9,000 of calls recorded at once; this license usually records 90–110: 37 standard deviations above.`
pub fn seen(anomaly: &Anomaly) -> String {
    let score = anomaly.z_score.to_f64();
    let value = format::amount(&anomaly.observed_value);
    let what = format!("{value} of {} recorded at once", anomaly.metric);
    if has_no_spread(anomaly) {
        let mean = format::short(anomaly.baseline_mean.to_f64());
        return format!("{what}; until then this license recorded {mean} each time, without exception.");
    }
    let usual = expected(anomaly).words;
    let side = if score < 0.0 { "below" } else { "above" };
    let away = format::short(score.abs());
    let unit = if away == "1" {
        "standard deviation"
    } else {
        "standard deviations"
    };
    format!("{what}; this license usually records {usual}: {away} {unit} {side}.")
}

/// What a severity means.
pub fn severity(severity: &str) -> &'static str {
    match severity {
        "critical" => "more than 3 standard deviations from the mean",
        "high" => "more than 2 standard deviations from the mean",
        _ => "more than 1.5 standard deviations from the mean",
    }
}

#[cfg(test)]
mod tests {
    use vinzy_client::Amount;

    use super::*;

    fn anomaly(value: &str, mean: &str, spread: &str, score: &str) -> Anomaly {
        let amount = |text: &str| Amount::from(text.to_owned());
        Anomaly {
            id: String::new(),
            license_id: String::new(),
            anomaly_type: "usage_spike".to_owned(),
            severity: "critical".to_owned(),
            metric: "calls".to_owned(),
            z_score: amount(score),
            baseline_mean: amount(mean),
            baseline_stddev: amount(spread),
            observed_value: amount(value),
            detail: vinzy_client::Object::new(),
            resolved: false,
            resolved_by: None,
            resolved_at: None,
            created_at: String::new(),
        }
    }

    #[test]
    fn a_spike_is_told_with_what_is_usual() {
        assert_eq!(
            seen(&anomaly("9000", "100", "0", "999")),
            "9,000 of calls recorded at once; until then this license recorded 100 each time, without exception."
        );
        assert_eq!(
            seen(&anomaly("500", "100", "10", "40")),
            "500 of calls recorded at once; this license usually records 85\u{2013}115: 40 standard deviations above."
        );
        assert_eq!(
            seen(&anomaly("1", "10", "3", "-3")),
            "1 of calls recorded at once; this license usually records 5.5\u{2013}14.5: 3 standard deviations below."
        );
    }

    #[test]
    fn nothing_below_zero_is_expected() {
        let range = expected(&anomaly("50", "1", "2", "24.5"));
        assert_eq!(range.words, "0\u{2013}4");
        assert!(range.low.abs() < 1e-9);
    }
}
