//! The events that a Partner can hear of, and the patterns that an endpoint subscribes with.

/// An event of a Partner or of its payment, in our own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name on the wire.
    pub name: &'static str,
    /// What it tells.
    pub meaning: &'static str,
}

/// Every event: those of a payment, of what it leaves, of a hosted checkout, then those of a Partner, in the order of its life.
pub const CATALOGUE: &[Kind] = &[
    Kind {
        name: "payment.requires_customer_action",
        meaning: "The customer has to go through Klarna's purchase flow; next_action says where.",
    },
    Kind { name: "payment.authorized", meaning: "Klarna authorized the payment: it can be captured." },
    Kind { name: "payment.declined", meaning: "Klarna declined the payment. It is over." },
    Kind { name: "payment.canceled", meaning: "The payment was canceled before it was authorized." },
    Kind { name: "payment.expired", meaning: "The customer did not finish in time, or the authorization ran out." },
    Kind { name: "payment.captured", meaning: "An amount was captured; the payment lists all captures." },
    Kind { name: "payment.refunded", meaning: "An amount was refunded; the payment lists all refunds." },
    Kind { name: "payment.voided", meaning: "What was not captured was given up." },
    Kind {
        name: "payment.updated",
        meaning: "The payment's amount, references or purchase data changed, or Klarna refused a capture, refund, void, cancellation \
            or change of it.",
    },
    Kind { name: "payment.closed", meaning: "Nothing further can happen to the payment." },
    Kind { name: "payment.failed", meaning: "The payment ended because of a technical fault; no money moved." },
    Kind {
        name: "customer_token.revoked",
        meaning: "A customer token was revoked, by you or by the customer: it cannot be charged.",
    },
    Kind {
        name: "checkout_session.completed",
        meaning: "An order of the hosted checkout or of a payment link is paid: with Klarna, or as you said yourself.",
    },
    Kind {
        name: "checkout_session.other_method_chosen",
        meaning: "The customer left the hosted checkout for your other method. The page stays open until you complete or cancel it; \
            Klarna takes no payment until the customer chooses again.",
    },
    Kind {
        name: "checkout_session.other_method_withdrawn",
        meaning: "The customer came back from your other method to choose again, and may pay with Klarna: do not take money for the \
            order any more without completing the session first.",
    },
    Kind { name: "checkout_session.expired", meaning: "Nobody paid in time. The page is closed." },
    Kind { name: "checkout_session.canceled", meaning: "You, or your till, took the order back. The page is closed." },
    Kind { name: "partner.approved", meaning: "Klarna has your account: payments can be made." },
    Kind { name: "partner.refused", meaning: "Klarna did not take your data; refusal says why." },
    Kind { name: "partner.operational", meaning: "Klarna has set your account up whole." },
    Kind {
        name: "partner.suspended",
        meaning: "No new payments; suspension says by whom and why, next_step what can be done. Old payments go on.",
    },
    Kind { name: "partner.resumed", meaning: "New payments can be made again." },
    Kind { name: "partner.terminated", meaning: "Klarna ended new payments. Old payments go on." },
    Kind { name: "partner.offboarded", meaning: "Your provider ended new payments. Old payments go on." },
    Kind {
        name: "partner.compliance_decision",
        meaning: "Klarna decided about your account; decision says what, and why.",
    },
    Kind {
        name: "partner.enablement_changed",
        meaning: "A payment program was switched on or off for you, or Klarna refused it; enablement says which.",
    },
    Kind {
        name: "partner.pricing_changed",
        meaning: "What Klarna charges you, or offers your customers, has changed or will; pricing says what. Noticed within a day.",
    },
    Kind {
        name: "partner.brand_incomplete",
        meaning: "Klarna cannot use some of a brand's data; incomplete_fields says which.",
    },
];

/// The event that a Partner sends to itself to try an endpoint. Delivered whatever the endpoint subscribes to; not listed.
pub const TEST: &str = "webhook_endpoint.test";

/// Whether `pattern` is an event's name or the beginning of one followed by `.*`; a bare `*` stands for all.
pub fn is_pattern(pattern: &str) -> bool {
    pattern == "*" || CATALOGUE.iter().any(|kind| matches(pattern, kind.name))
}

/// Whether an endpoint that subscribes to `pattern` gets `event_type`.
pub fn matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        // The prefix keeps its dot, so `payment.*` does not take `payments.x`.
        Some(prefix) => prefix.ends_with('.') && event_type.starts_with(prefix),
        None => pattern == event_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_or_beginnings_that_end_at_a_dot() {
        for good in ["*", "payment.*", "payment.captured"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in
            ["", "pay*", "payment*", "payment.capt*", "payments.*", "payment.unheard_of", ".*", "payment.*.x", "**"]
        {
            assert!(!is_pattern(bad), "{bad}");
        }
        assert!(matches("payment.*", "payment.closed") && !matches("payment.closed", "payment.captured"));
    }
}
