//! Rate-limit categories and their quotas.

use crate::config::RateLimits;

/// Rate-limit categories (fact sheet 01 §7; the newer ones as in RULINGS §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    AccountOnboarding,
    Capture,
    TransactionManagement,
    Authorization,
    RequestManagement,
    Identity,
    Interoperability,
    Dispute,
    Settlement,
    PartnerManagement,
    Presentation,
    Messaging,
    /// No limit: operations that are not the network's, as `/testing`.
    Unlimited,
}

impl Category {
    /// Requests per second for a Partner and for an Acquiring Partner with all under it.
    pub fn quotas(self, limits: RateLimits) -> Option<(u32, u32)> {
        use Category::*;
        let (live, test) = match self {
            AccountOnboarding => ((0, 10), (0, 5)),
            Capture => ((50, 200), (12, 50)),
            TransactionManagement | Authorization | RequestManagement | Identity | Interoperability => {
                ((200, 500), (50, 125))
            }
            Presentation | Messaging => ((200, 500), (50, 125)),
            Dispute | PartnerManagement => ((20, 50), (5, 12)),
            Settlement => ((0, 150), (0, 37)),
            Unlimited => return None,
        };
        match limits {
            RateLimits::Live => Some(live),
            RateLimits::Test => Some(test),
            RateLimits::Off => None,
        }
    }

    /// Names of the two levels in the headers.
    pub(super) fn levels(self) -> (&'static str, &'static str) {
        use Category::*;
        match self {
            AccountOnboarding => ("account_onboarding", "psp_onboarding"),
            Capture => ("account_payment-transaction-capture", "psp_payment-transaction-capture"),
            TransactionManagement => ("account_payment-transaction-management", "psp_payment-transaction-management"),
            Authorization => ("account_payment-transaction-authorization", "psp_payment-transaction-authorization"),
            RequestManagement => ("account_payment-request-management", "psp_payment-request-management"),
            Identity => ("account_identity", "psp_identity"),
            Interoperability => ("account_interoperability", "psp_interoperability"),
            Dispute => ("account_dispute", "psp_dispute"),
            Settlement => ("account_settlement", "psp_settlement"),
            PartnerManagement => ("account_partner-management", "psp_partner-management"),
            Presentation => ("account_payment-presentation", "psp_payment-presentation"),
            Messaging => ("account_on-site-messaging", "psp_on-site-messaging"),
            Unlimited => ("", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_limits_are_four_times_those_of_the_test_environment_and_off_is_off() {
        for category in [Category::Capture, Category::Authorization, Category::Dispute, Category::Settlement] {
            let (partner, above) = category.quotas(RateLimits::Live).expect("a limited category");
            assert_eq!(category.quotas(RateLimits::Test), Some((partner / 4, above / 4)), "{category:?}");
            assert_eq!(category.quotas(RateLimits::Off), None);
        }
        assert_eq!(Category::Unlimited.quotas(RateLimits::Live), None);
    }
}
