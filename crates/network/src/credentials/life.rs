//! When a credential ends by itself, and when it is gone (fact sheet 01 §2.3). Pure.

use jiff::{Span, Timestamp, tz::TimeZone};

/// A key that was not used for longer is disabled.
const UNUSED_MONTHS: i64 = 2;
/// What has been disabled for longer is gone.
const DISABLED_MONTHS: i64 = 10;

/// What decides how a credential stands. Times in microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Whether disuse disables it. Ours: keys of the installation itself stay, because its clock may be moved by years.
    pub lapses: bool,
    pub created_at: i64,
    pub last_used_at: Option<i64>,
    /// When it was disabled, as far as that was written down.
    pub disabled_at: Option<i64>,
}

impl Life {
    /// Since when it is disabled at `now`: because somebody did so, or for want of use.
    pub fn disabled_at(&self, now: i64) -> Option<i64> {
        let lapsed = || {
            let at = months_after(self.last_used_at.unwrap_or(self.created_at), UNUSED_MONTHS);
            (self.lapses && at < now).then_some(at)
        };
        self.disabled_at.or_else(lapsed)
    }

    /// Whether it works.
    pub fn is_active(&self, now: i64) -> bool {
        self.disabled_at(now).is_none()
    }

    /// Whether nothing of it is shown any more.
    pub fn is_gone(&self, now: i64) -> bool {
        self.disabled_at(now).is_some_and(|at| months_after(at, DISABLED_MONTHS) < now)
    }

    /// `state` on the wire.
    pub fn state(&self, now: i64) -> &'static str {
        if self.is_active(now) { "ACTIVE" } else { "DISABLED" }
    }
}

/// Before this, something may have lapsed: a bound that no month is longer than, for finding what to look at.
pub fn may_have_lapsed_before(now: i64) -> i64 {
    months_after(now, -UNUSED_MONTHS).saturating_add(MONTH_ENDS_US)
}

/// What was disabled before this is gone for sure.
pub fn gone_before(now: i64) -> i64 {
    months_after(now, -DISABLED_MONTHS).saturating_sub(MONTH_ENDS_US)
}

/// Months that are cut at their last day make adding and subtracting differ by at most three days.
const MONTH_ENDS_US: i64 = 3 * kit::clock::DAY_US;

/// So many calendar months later, in UTC.
pub fn months_after(at: i64, months: i64) -> i64 {
    let later = Timestamp::from_microsecond(at)
        .ok()
        .and_then(|at| at.to_zoned(TimeZone::UTC).checked_add(Span::new().months(months)).ok());
    // Beyond the calendar nothing happens any more.
    later.map_or(i64::MAX, |later| later.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn a_key_lapses_two_months_after_its_last_use_and_is_gone_ten_months_later() {
        let made = Life { lapses: true, created_at: at("2026-01-31T10:00:00Z"), last_used_at: None, disabled_at: None };
        assert!(made.is_active(at("2026-03-31T10:00:00Z")));
        assert!(!made.is_active(at("2026-03-31T10:00:00.000001Z")));
        let used = Life { last_used_at: Some(at("2026-02-10T00:00:00Z")), ..made };
        assert!(used.is_active(at("2026-04-10T00:00:00Z")));
        assert_eq!(used.disabled_at(at("2026-04-11T00:00:00Z")), Some(at("2026-04-10T00:00:00Z")));
        assert!(!used.is_gone(at("2027-02-10T00:00:00Z")) && used.is_gone(at("2027-02-11T00:00:00Z")));
    }

    #[test]
    fn what_the_installation_made_stays_until_somebody_disables_it() {
        let seeded = Life { lapses: false, created_at: 0, last_used_at: None, disabled_at: None };
        assert!(seeded.is_active(at("2099-01-01T00:00:00Z")));
        let disabled = Life { disabled_at: Some(at("2026-01-01T00:00:00Z")), ..seeded };
        assert_eq!(disabled.state(at("2026-01-02T00:00:00Z")), "DISABLED");
        assert!(disabled.is_gone(at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn the_bounds_for_finding_miss_nothing_and_take_nothing_early() {
        for day in 1..=365_i64 {
            let created_at = at("2026-01-01T00:00:00Z") + day * kit::clock::DAY_US;
            let made = Life { lapses: true, created_at, last_used_at: None, disabled_at: None };
            let lapsed = made.disabled_at(i64::MAX).unwrap();
            assert!(created_at <= may_have_lapsed_before(lapsed + 1));
            assert!(gone_before(months_after(lapsed, DISABLED_MONTHS)) <= lapsed);
        }
    }
}
