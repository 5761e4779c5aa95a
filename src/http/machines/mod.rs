//! Machines: what applications ask for themselves, and what their vendor sees.

pub mod activate;
pub mod deactivate;
pub mod heartbeat;
pub mod list;
pub mod remove;

use std::ops::RangeInclusive;

/// Characters of a license key, of which a good one has 45: what is longer is not worth a look.
pub(super) const KEY: RangeInclusive<usize> = 0..=1_000;
/// Characters of a fingerprint.
pub(super) const FINGERPRINT: RangeInclusive<usize> = 1..=255;
/// Characters of a host name or a platform.
const NAME: RangeInclusive<usize> = 0..=255;
/// Characters of a version.
const VERSION: RangeInclusive<usize> = 1..=100;
