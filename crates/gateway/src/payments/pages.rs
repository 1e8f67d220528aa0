//! What customers may see of us.

use maud::{DOCTYPE, Markup, html};

/// An address that leads to no payment.
pub(super) fn unknown_return() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Payment not found" }
                link rel="stylesheet" href="/assets/kontor.css";
            }
            body {
                main {
                    h1 { "Payment not found" }
                    p { "This address does not lead to a payment. Go back to the shop and look at your order there." }
                }
            }
        }
    }
}
