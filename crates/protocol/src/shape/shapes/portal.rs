//! Links into the portal, and user access: sheets 02 §7 and 06 §1, RULINGS "Objects".

use super::{Kind, Row, WEB_URL, member, text_of};
use crate::error::ValidationError;
use crate::krn::KrnKind;
use serde_json::Value;

crate::shapes! {
    /// Body of POST `…/portal/deep-links`: a signed token, or (older) what it would say, unsigned.
    deep_link_create = [
        jwt(),
        text_of("subject", 1, 255),
        Row::new("roles", Kind::Array { min: 1, max: 10 }),
        Row::new("roles[]", Kind::OneOf(ROLES)),
        Row::new("on_behalf_of", Kind::Id(KrnKind::PartnerAccount)),
    ], &[signed_or_not];
    /// A deep link.
    deep_link = [
        Row::new("deep_link_id", Kind::Id(KrnKind::PortalDeepLink)).required(),
        Row::new("url", WEB_URL).required(),
        Row::new("expires_at", Kind::Timestamp).required(),
    ], &[];
    /// Body of POST `/v2/portal/user-access`.
    user_access_create = [jwt().required()], &[];
    /// A user's access to an account.
    user_access = [
        text_of("user_id", 1, 255).required(),
        Row::new("account_id", Kind::Id(KrnKind::PartnerAccount)).required(),
        Row::new("principal", Kind::Email).required().personal(),
        Row::new("roles", Kind::Array { min: 1, max: 10 }).required(),
        Row::new("roles[]", Kind::OneOf(ROLES)),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("updated_at", Kind::Timestamp).required(),
    ], &[];
    /// Body of the control that makes a sign-in link.
    sign_in_link_create = [text_of("principal", 1, 255).required().personal()], &[];
}

const ROLES: &[&str] = &["merchant:admin", "merchant:developer"];

/// Ours: room for a chain of certificates.
fn jwt() -> Row {
    Row::new("jwt", Kind::Blob { min: 1, max: 16_384 }).personal()
}

fn signed_or_not(body: &Value, faults: &mut Vec<ValidationError>) {
    let signed = member(body, &["jwt"]).is_some();
    for name in ["subject", "roles", "on_behalf_of"] {
        match (signed, member(body, &[name]).is_some()) {
            (true, true) => faults.push(ValidationError::new(name, "must be absent when a jwt is sent")),
            (false, false) if name != "on_behalf_of" => {
                faults.push(ValidationError::new(name, "is required unless a jwt is sent"));
            }
            _ => {}
        }
    }
}
