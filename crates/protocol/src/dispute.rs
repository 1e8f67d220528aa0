//! Words of disputes that both ends use. The frameworks are in [`crate::event`], because they decide who is told.

use crate::event::DisputeFramework;
use crate::open_enum;

open_enum! {
    /// What a customer, or Klarna, objects to. The first names are those of [`DisputeFramework::Framework2026`], those behind
    /// `NON_GUARANTEED_PAYMENT_PROGRAM` the ones that only [`DisputeFramework::Framework2020`] has (sheet 05 §3.4).
    pub enum DisputeReason {
        RefundNotProcessed = "REFUND_NOT_PROCESSED",
        ProductsOrServicesNotReceived = "PRODUCTS_OR_SERVICES_NOT_RECEIVED",
        ProductsDefectiveOrNotAsDescribed = "PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED",
        IncorrectAmount = "INCORRECT_AMOUNT",
        PurchaseUnauthorized = "PURCHASE_UNAUTHORIZED",
        PurchaseHighRisk = "PURCHASE_HIGH_RISK",
        NonCompliance = "NON_COMPLIANCE",
        NonGuaranteedPaymentProgram = "NON_GUARANTEED_PAYMENT_PROGRAM",
        ReturnNotRefunded = "RETURN_NOT_REFUNDED",
        PurchaseCanceled = "PURCHASE_CANCELED",
        ProductsNotReceived = "PRODUCTS_NOT_RECEIVED",
        ProductsFaulty = "PRODUCTS_FAULTY",
        CaptureAmountIncorrect = "CAPTURE_AMOUNT_INCORRECT",
    }

    /// How a dispute ended for the Partner. Compare without regard to case: samples and tables differ.
    pub enum DisputeOutcome {
        Won = "WON",
        Lost = "LOST",
    }
}

impl DisputeReason {
    /// The name of the same reason in a framework; reasons that both have, or that nobody knows, keep theirs. A canceled purchase
    /// has no name of its own in 2026, so the way back leads to `RETURN_NOT_REFUNDED`.
    pub fn under(&self, framework: &DisputeFramework) -> Self {
        const NAMES: [(DisputeReason, DisputeReason); 4] = [
            (DisputeReason::ReturnNotRefunded, DisputeReason::RefundNotProcessed),
            (DisputeReason::ProductsNotReceived, DisputeReason::ProductsOrServicesNotReceived),
            (DisputeReason::ProductsFaulty, DisputeReason::ProductsDefectiveOrNotAsDescribed),
            (DisputeReason::CaptureAmountIncorrect, DisputeReason::IncorrectAmount),
        ];
        let renamed = match framework {
            DisputeFramework::Framework2020 => NAMES.iter().find(|(_, new)| new == self).map(|(old, _)| old.clone()),
            DisputeFramework::Framework2026 if *self == Self::PurchaseCanceled => Some(Self::RefundNotProcessed),
            DisputeFramework::Framework2026 => NAMES.iter().find(|(old, _)| old == self).map(|(_, new)| new.clone()),
            DisputeFramework::Unknown(_) => None,
        };
        renamed.unwrap_or_else(|| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DisputeFramework::{Framework2020, Framework2026};

    #[test]
    fn a_reason_has_its_name_in_each_framework() {
        for (old, new) in [
            ("RETURN_NOT_REFUNDED", "REFUND_NOT_PROCESSED"),
            ("PRODUCTS_NOT_RECEIVED", "PRODUCTS_OR_SERVICES_NOT_RECEIVED"),
            ("PRODUCTS_FAULTY", "PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED"),
            ("CAPTURE_AMOUNT_INCORRECT", "INCORRECT_AMOUNT"),
            ("PURCHASE_UNAUTHORIZED", "PURCHASE_UNAUTHORIZED"),
            ("RETURN_NOT_POSSIBLE", "RETURN_NOT_POSSIBLE"),
        ] {
            for name in [old, new] {
                assert_eq!(DisputeReason::from(name).under(&Framework2020).as_str(), old);
                assert_eq!(DisputeReason::from(name).under(&Framework2026).as_str(), new);
            }
        }
        assert_eq!(DisputeReason::PurchaseCanceled.under(&Framework2026), DisputeReason::RefundNotProcessed);
        assert_eq!(DisputeReason::PurchaseCanceled.under(&Framework2020), DisputeReason::PurchaseCanceled);
    }
}
