//! The payout of a settlement, and its way to the bank. Pure.

use kit::clock::{DAY_US, HOUR_US};
use protocol::EventType;

/// From closing to the bank (RULINGS "Constants").
pub const PROCESSED_AFTER_US: i64 = HOUR_US;
/// From the bank to the account.
pub const CONFIRMED_AFTER_US: i64 = DAY_US;
/// Ours: when the bank is asked again.
pub const RETRIED_AFTER_US: i64 = DAY_US;

/// RULINGS §3 "payout".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    /// The bank has it.
    Processed,
    /// It arrived.
    Confirmed,
    /// The bank returned it; it is tried again.
    Failed,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Processed, Self::Confirmed, Self::Failed];
    /// The names, for tables of bodies.
    pub const TEXTS: &[&str] = &["PENDING", "PROCESSED", "CONFIRMED", "FAILED"];

    /// On the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processed => "PROCESSED",
            Self::Confirmed => "CONFIRMED",
            Self::Failed => "FAILED",
        }
    }

    /// From [`Status::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The event that tells of reaching it.
    pub fn event(self) -> Option<EventType> {
        match self {
            Self::Pending => None,
            Self::Processed => Some(EventType::SettlementPayoutProcessed),
            Self::Confirmed => Some(EventType::SettlementPayoutConfirmed),
            Self::Failed => Some(EventType::SettlementPayoutFailed),
        }
    }

    /// What can follow.
    fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Pending => next == Self::Processed,
            Self::Processed => matches!(next, Self::Confirmed | Self::Failed),
            Self::Failed => next == Self::Pending,
            Self::Confirmed => false,
        }
    }

    /// When time takes the next step, for one that was reached at `at`.
    fn due(self, at: i64) -> Option<i64> {
        match self {
            Self::Pending => Some(at + PROCESSED_AFTER_US),
            Self::Processed => Some(at + CONFIRMED_AFTER_US),
            Self::Failed => Some(at + RETRIED_AFTER_US),
            Self::Confirmed => None,
        }
    }
}

/// A step that the drawing does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payout is {}, which {} cannot follow", .from.as_str(), .to.as_str())]
pub struct Skipped {
    pub from: Status,
    pub to: Status,
}

/// What decides about a payout. Times in microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    pub status: Status,
    /// When it was reached.
    pub updated_at: i64,
    /// When time takes the next step.
    pub due_at: Option<i64>,
    /// Whether the bank will return it the next time.
    pub will_fail: bool,
}

impl Payout {
    /// A new one.
    pub fn new(now: i64) -> Self {
        let status = Status::Pending;
        Self { status, updated_at: now, due_at: status.due(now), will_fail: false }
    }

    /// Lets time take its steps, and says which: what was reached, and when.
    #[must_use]
    pub fn at(mut self, now: i64) -> (Self, Vec<(Status, i64)>) {
        let mut steps = Vec::new();
        while let Some(due) = self.due_at.filter(|due| *due <= now) {
            let next = match self.status {
                Status::Pending => Status::Processed,
                Status::Processed if self.will_fail => Status::Failed,
                Status::Processed => Status::Confirmed,
                Status::Failed => Status::Pending,
                Status::Confirmed => break,
            };
            self = self.reached(next, due);
            steps.push((next, due));
        }
        (self, steps)
    }

    /// Takes a step by hand; a repetition changes nothing.
    ///
    /// # Errors
    /// [`Skipped`].
    pub fn set(self, to: Status, now: i64) -> Result<Self, Skipped> {
        if to == self.status {
            return Ok(self);
        }
        if !self.status.leads_to(to) {
            return Err(Skipped { from: self.status, to });
        }
        Ok(self.reached(to, now))
    }

    fn reached(self, status: Status, at: i64) -> Self {
        // It fails once; the retry takes its own way.
        let will_fail = self.will_fail && status != Status::Failed;
        Self { status, updated_at: at, due_at: status.due(at), will_fail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_processes_after_an_hour_and_confirms_a_day_later() {
        let new = Payout::new(0);
        assert_eq!(new.at(HOUR_US - 1).1, []);
        let (done, steps) = new.at(10 * DAY_US);
        assert_eq!(steps, [(Status::Processed, HOUR_US), (Status::Confirmed, HOUR_US + DAY_US)]);
        assert_eq!((done.status, done.due_at), (Status::Confirmed, None));
    }

    #[test]
    fn one_that_fails_is_tried_again_once_more() {
        let (done, steps) = Payout { will_fail: true, ..Payout::new(0) }.at(30 * DAY_US);
        let statuses: Vec<_> = steps.iter().map(|(status, _)| *status).collect();
        use Status::*;
        assert_eq!(statuses, [Processed, Failed, Pending, Processed, Confirmed]);
        assert!(!done.will_fail);
    }

    #[test]
    fn no_step_is_skipped_by_hand_and_a_repetition_is_none() {
        use Status::*;
        let drawn = [(Pending, Processed), (Processed, Confirmed), (Processed, Failed), (Failed, Pending)];
        for from in Status::ALL {
            for to in Status::ALL {
                let payout = Payout { status: from, ..Payout::new(0) };
                let is_fine = from == to || drawn.contains(&(from, to));
                assert_eq!(payout.set(to, 5).is_ok(), is_fine, "{from:?} to {to:?}");
            }
        }
        let repeated = Payout::new(0);
        assert_eq!(repeated.set(Pending, 9), Ok(repeated));
    }
}
