//! Telling which values stand out: z-scores against a window of the values before.
//!
//! Doubles are right here: a z-score is an estimate, and older records hold the same figures.

use super::Severity;

/// How many values before one are its baseline.
pub const WINDOW: usize = 30;
/// How many values there must be before one can stand out.
pub const MINIMUM: usize = 3;
/// The z-score of a value that differs from values that are all equal.
pub const NO_SPREAD: f64 = 999.0;

/// Mean and spread of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Arithmetic mean; 0 of no values.
    pub mean: f64,
    /// Sample standard deviation (n − 1); 0 of fewer than two values.
    pub stddev: f64,
}

/// A value that stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// What it stands out from.
    pub baseline: Baseline,
    /// How far, in standard deviations.
    pub z_score: f64,
    /// How far, in words.
    pub severity: Severity,
}

/// The values are so large that their squares are no doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the values are too large for a standard deviation")]
pub struct Overflow;

/// Mean and sample standard deviation of the last `window` of `values`.
#[expect(clippy::cast_precision_loss, reason = "a window holds few values")]
pub fn baseline(values: &[f64], window: usize) -> Result<Baseline, Overflow> {
    let values = &values[values.len().saturating_sub(window)..];
    let count = values.len() as f64;
    if values.is_empty() {
        return Ok(Baseline {
            mean: 0.0,
            stddev: 0.0,
        });
    }
    let mean = values.iter().sum::<f64>() / count;
    let stddev = match values.len() {
        1 => 0.0,
        _ => (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
    };
    if mean.is_finite() && stddev.is_finite() {
        Ok(Baseline { mean, stddev })
    } else {
        Err(Overflow)
    }
}

/// How many standard deviations `value` is from the mean. Without spread: 0 for the mean itself, else
/// [`NO_SPREAD`].
#[expect(clippy::float_cmp, reason = "equal values have exactly their mean")]
pub fn z_score(value: f64, baseline: Baseline) -> f64 {
    if baseline.stddev > 0.0 {
        (value - baseline.mean) / baseline.stddev
    } else if value == baseline.mean {
        0.0
    } else {
        NO_SPREAD
    }
}

/// What a z-score amounts to; `None` is nothing unusual.
pub fn severity(z_score: f64) -> Option<Severity> {
    match z_score.abs() {
        far if far > 3.0 => Some(Severity::Critical),
        far if far > 2.0 => Some(Severity::High),
        far if far > 1.5 => Some(Severity::Medium),
        _ => None,
    }
}

/// Compares a value with the last [`WINDOW`] values of `history`.
pub fn detect(history: &[f64], value: f64) -> Result<Option<Finding>, Overflow> {
    let baseline = baseline(history, WINDOW)?;
    let z_score = z_score(value, baseline);
    Ok(severity(z_score).map(|severity| Finding {
        baseline,
        z_score,
        severity,
    }))
}

/// As [`detect`], for values of any size and a history that can be too short: less than [`MINIMUM`] values
/// say nothing.
pub fn detect_in(history: &[f64], value: f64) -> Option<Finding> {
    if history.len() < MINIMUM {
        return None;
    }
    detect(history, value).unwrap_or_else(|Overflow| {
        // The same in units of the largest value: its squares are at most 1.
        let unit = history
            .iter()
            .fold(value.abs(), |unit, value| unit.max(value.abs()));
        let scaled: Vec<f64> = history.iter().map(|value| value / unit).collect();
        let found = detect(&scaled, value / unit).ok().flatten()?;
        let baseline = Baseline {
            mean: found.baseline.mean * unit,
            stddev: found.baseline.stddev * unit,
        };
        Some(Finding { baseline, ..found })
    })
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the vectors give exact figures")]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(name: &str) -> Vec<Value> {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/contract.json")).unwrap();
        vectors[name].as_array().unwrap().clone()
    }

    fn numbers(values: &Value) -> Vec<f64> {
        values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect()
    }

    #[test]
    fn baselines_are_as_in_the_vectors() {
        for case in vectors("compute_baseline") {
            let window = usize::try_from(case["window"].as_u64().unwrap()).unwrap();
            let found = baseline(&numbers(&case["values"]), window).unwrap();
            assert_eq!(vec![found.mean, found.stddev], numbers(&case["out"]), "{case}");
        }
    }

    #[test]
    fn z_scores_and_severities_are_as_in_the_vectors() {
        for case in vectors("compute_z_score") {
            let number = |name: &str| case[name].as_f64().unwrap();
            let baseline = Baseline {
                mean: number("mean"),
                stddev: number("stddev"),
            };
            assert_eq!(z_score(number("value"), baseline), number("out"), "{case}");
        }
        for case in vectors("classify_severity") {
            let found = severity(case["z"].as_f64().unwrap()).map(Severity::as_str);
            assert_eq!(found, case["out"].as_str(), "{case}");
        }
    }

    #[test]
    fn anomalies_are_as_in_the_vectors() {
        for case in vectors("detect_anomalies") {
            let found = detect(&numbers(&case["history"]), case["current"].as_f64().unwrap());
            if case.get("raises").is_some() {
                assert_eq!(found, Err(Overflow), "{case}");
                continue;
            }
            let Some(out) = case["out"].as_object() else {
                assert_eq!(found, Ok(None), "{case}");
                continue;
            };
            let found = found.unwrap().unwrap();
            assert_eq!(found.baseline.mean, out["baseline_mean"], "{case}");
            assert_eq!(found.baseline.stddev, out["baseline_stddev"], "{case}");
            assert_eq!(found.z_score, out["z_score"], "{case}");
            assert_eq!(found.severity.as_str(), out["severity"], "{case}");
        }
    }

    #[test]
    fn too_short_a_history_says_nothing_and_huge_values_are_no_obstacle() {
        assert_eq!(detect_in(&[5.0, 5.0], 1000.0), None);
        assert_eq!(detect_in(&[1e308, 1e308, 1e307], 1e308), None);
        let found = detect_in(&[1e308, 1e307, 1e307, 1e307], 1.3e308).unwrap();
        assert_eq!(found.severity, Severity::High);
        assert!(found.baseline.mean.is_finite() && found.baseline.stddev.is_finite());
        let found = detect_in(&[1.0, 1.0, 1.0], 1e308).unwrap();
        assert_eq!((found.severity, found.z_score), (Severity::Critical, NO_SPREAD));
    }
}
