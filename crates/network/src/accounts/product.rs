//! The payment product of a Partner: whether it may be paid with Klarna, and who may say so.

/// Who acts on a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The Acquiring Partner, by its API.
    AcquiringPartner,
    /// Klarna, by its decisions.
    Klarna,
}

impl Actor {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AcquiringPartner => "ACQUIRING_PARTNER",
            Self::Klarna => "KLARNA",
        }
    }

    /// What was stored; a product that nobody is known to have disabled was disabled by Klarna: only Klarna may enable it.
    pub fn stored(text: Option<&str>) -> Self {
        if text == Some("ACQUIRING_PARTNER") { Self::AcquiringPartner } else { Self::Klarna }
    }
}

/// Where a payment product stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductState {
    /// New payments are taken.
    Enabled,
    /// None are; what was paid goes on. This actor did it.
    Disabled(Actor),
    /// The same, for good, unless Klarna changes its mind.
    Terminated,
}

/// What an actor wants of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Enable,
    Disable,
    Terminate,
}

/// Why a wish is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What Klarna disabled or terminated, only Klarna enables.
    #[error("Klarna disabled this payment product; only Klarna can enable it.")]
    KlarnaOnly,
    /// Only what is disabled can be terminated.
    #[error("A payment product must be DISABLED before it can be TERMINATED.")]
    NotDisabled,
}

impl ProductState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled(_) => "DISABLED",
            Self::Terminated => "TERMINATED",
        }
    }

    /// As stored, with who disabled it.
    pub fn stored(state: &str, disabled_by: Option<&str>) -> Self {
        match state {
            "ENABLED" => Self::Enabled,
            "TERMINATED" => Self::Terminated,
            _ => Self::Disabled(Actor::stored(disabled_by)),
        }
    }

    /// The state after a wish (RULINGS §3); the same when there is nothing to do: repetitions succeed.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn next(self, actor: Actor, wish: Wish) -> Result<Self, Refused> {
        use Actor::{AcquiringPartner, Klarna};
        match (self, wish, actor) {
            (Self::Enabled, Wish::Enable, _) => Ok(self),
            (Self::Disabled(AcquiringPartner), Wish::Enable, _) => Ok(Self::Enabled),
            (Self::Disabled(Klarna) | Self::Terminated, Wish::Enable, Klarna) => Ok(Self::Enabled),
            (Self::Disabled(Klarna) | Self::Terminated, Wish::Enable, AcquiringPartner) => Err(Refused::KlarnaOnly),
            (Self::Enabled, Wish::Disable, actor) => Ok(Self::Disabled(actor)),
            // Klarna's decision outlives the Partner's own: it takes over, without another event.
            (Self::Disabled(_), Wish::Disable, Klarna) => Ok(Self::Disabled(Klarna)),
            (Self::Disabled(_), Wish::Disable, AcquiringPartner) | (Self::Terminated, Wish::Disable, _) => Ok(self),
            (Self::Disabled(_) | Self::Terminated, Wish::Terminate, Klarna) => Ok(Self::Terminated),
            (Self::Enabled, Wish::Terminate, Klarna) => Err(Refused::NotDisabled),
            (Self::Enabled | Self::Disabled(_) | Self::Terminated, Wish::Terminate, AcquiringPartner) => {
                Err(Refused::KlarnaOnly)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_disabled_a_product_decides_who_enables_it() {
        use Actor::{AcquiringPartner as Ap, Klarna};
        use ProductState::{Disabled, Enabled, Terminated};
        use Wish::{Disable, Enable, Terminate};
        assert_eq!(Enabled.next(Ap, Disable), Ok(Disabled(Ap)));
        assert_eq!(Disabled(Ap).next(Ap, Enable), Ok(Enabled));
        assert_eq!(Disabled(Ap).next(Ap, Disable), Ok(Disabled(Ap)));
        assert_eq!(Enabled.next(Klarna, Disable), Ok(Disabled(Klarna)));
        assert_eq!(Disabled(Klarna).next(Ap, Enable), Err(Refused::KlarnaOnly));
        assert_eq!(Disabled(Klarna).next(Ap, Disable), Ok(Disabled(Klarna)), "the Partner does not take it over");
        assert_eq!(Disabled(Ap).next(Klarna, Disable), Ok(Disabled(Klarna)));
        assert_eq!(Disabled(Klarna).next(Klarna, Terminate), Ok(Terminated));
        assert_eq!(Enabled.next(Klarna, Terminate), Err(Refused::NotDisabled));
        assert_eq!(Terminated.next(Ap, Enable), Err(Refused::KlarnaOnly));
        assert_eq!(Terminated.next(Klarna, Enable), Ok(Enabled));
        assert_eq!(Terminated.next(Ap, Disable), Ok(Terminated));
    }

    fn any_actor() -> impl Strategy<Value = Actor> {
        prop_oneof![Just(Actor::AcquiringPartner), Just(Actor::Klarna)]
    }

    fn any_wish() -> impl Strategy<Value = Wish> {
        prop_oneof![Just(Wish::Enable), Just(Wish::Disable), Just(Wish::Terminate)]
    }

    proptest! {
        #[test]
        fn nothing_but_klarna_undoes_what_klarna_did(steps in prop::collection::vec((any_actor(), any_wish()), 0..20)) {
            let (mut state, mut by_klarna) = (ProductState::Enabled, false);
            for (actor, wish) in steps {
                let Ok(next) = state.next(actor, wish) else { continue };
                if actor == Actor::Klarna {
                    by_klarna = wish != Wish::Enable;
                }
                state = next;
                prop_assert!(!by_klarna || state != ProductState::Enabled);
                // A repetition changes nothing.
                prop_assert_eq!(state.next(actor, wish), Ok(state));
            }
        }
    }
}
