//! The signed tokens that ask for a way in (fact sheets 01 §2.6, 02 §7.1): ES256, with the certificate that signed it in `x5c`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::http::FieldFault;
use protocol::PartnerAccountId;
use serde_json::Value;

use super::role::Role;
use crate::credentials::certificate::JwtSigner;

/// Longest time that a token may be good for (RULINGS §2).
const LIFE_US: i64 = HOUR_US;
/// How far the signer's clock may be ahead. Ours.
const LEEWAY_US: i64 = MINUTE_US;
const JTI_CHARS_MAX: usize = 255;

/// What a token asks for, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the user's e-mail address.
    pub principal: String,
    /// `account_id`: where the user is let in.
    pub account: String,
    /// `on_behalf_of`; the account itself when it is absent.
    pub on_behalf_of: String,
    pub roles: Vec<Role>,
    pub jti: String,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// The certificate that a token says it was signed with, in DER.
///
/// # Errors
/// What is wrong with the token's form.
pub fn certificate(jwt: &str) -> Result<Vec<u8>, FieldFault> {
    let header = jsonwebtoken::decode_header(jwt).map_err(|_| fault("jwt", "must be a signed JWT (RFC 7515)"))?;
    if header.alg != Algorithm::ES256 {
        return Err(fault("jwt", "must be signed with ES256"));
    }
    let first = header.x5c.as_ref().and_then(|chain| chain.first());
    let first = first.ok_or_else(|| fault("jwt", "must bear its certificate in the header x5c"))?;
    STANDARD.decode(first).map_err(|_| fault("jwt", "must bear its certificate in x5c as base64 of DER"))
}

/// What a token asks for. `signer` is who holds the key of [`certificate`], `None` when that certificate is not one of the network's
/// for signing, or not good any more; `caller` is the account whose key was used for the call.
///
/// # Errors
/// Every fault, that of the signature alone.
pub fn read(
    jwt: &str,
    signer: Option<&JwtSigner>,
    caller: &PartnerAccountId,
    now: i64,
) -> Result<Claims, Vec<FieldFault>> {
    let Some(signer) = signer.filter(|signer| signer.account == *caller) else {
        let reason = "must be signed with a valid client certificate of this account whose usage is JWT_SIGNING";
        return Err(vec![fault("jwt", reason)]);
    };
    let mut rules = Validation::new(Algorithm::ES256);
    // Its own checks would read the wall clock; the audience is not used.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_ec_der(&signer.public_key);
    let token = jsonwebtoken::decode::<Value>(jwt, &key, &rules)
        .map_err(|_| vec![fault("jwt", "must have the signature of the key in its certificate")])?;
    claims(&token.claims, caller, now)
}

fn claims(claims: &Value, caller: &PartnerAccountId, now: i64) -> Result<Claims, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text("iss") != Some(caller.as_str()) {
        faults.push(fault("jwt.iss", "must be the account that calls"));
    }
    let principal = text("sub").filter(|text| is_email(text));
    if principal.is_none() {
        faults.push(fault("jwt.sub", "must be the user's e-mail address"));
    }
    let methods = claims.get("amr").and_then(Value::as_array);
    if !methods.is_some_and(|methods| !methods.is_empty() && methods.iter().all(Value::is_string)) {
        faults.push(fault("jwt.amr", "must say how the user was authenticated, like [\"pwd\"]"));
    }
    let jti = text("jti").filter(|text| text.len() <= JTI_CHARS_MAX);
    if jti.is_none() {
        faults.push(fault("jwt.jti", "must be an id of 1 to 255 characters that was not used before"));
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(|seconds| seconds.saturating_mul(SECOND_US));
    let (issued_at, expires_at) = (time("iat"), time("exp"));
    if issued_at.is_none_or(|at| at > now + LEEWAY_US) {
        faults.push(fault("jwt.iat", "must be the time of signing in seconds, and not in the future"));
    }
    match expires_at {
        None => faults.push(fault("jwt.exp", "must be the time of expiry in seconds")),
        Some(at) if at <= now => faults.push(fault("jwt.exp", "must be in the future")),
        Some(at) if at > now + LIFE_US + LEEWAY_US || issued_at.is_some_and(|issued| at > issued + LIFE_US) => {
            faults.push(fault("jwt.exp", "must be at most an hour after iat"));
        }
        Some(_) => {}
    }
    let account = text("account_id");
    if account.is_none() {
        faults.push(fault("jwt.account_id", "is required"));
    }
    let roles = claims.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (roles, unknown): (Vec<_>, Vec<_>) =
        roles.iter().map(|role| role.as_str().and_then(Role::parse)).partition(Option::is_some);
    if roles.is_empty() || !unknown.is_empty() {
        faults.push(fault("jwt.roles", Role::WANTED));
    }
    match (principal, account, jti, expires_at, faults.is_empty()) {
        (Some(principal), Some(account), Some(jti), Some(expires_at), true) => Ok(Claims {
            principal: principal.to_owned(),
            account: account.to_owned(),
            on_behalf_of: text("on_behalf_of").unwrap_or(account).to_owned(),
            roles: Role::distinct(roles.into_iter().flatten()),
            jti: jti.to_owned(),
            expires_at,
        }),
        _ => Err(faults),
    }
}

fn fault(parameter: &'static str, reason: &'static str) -> FieldFault {
    FieldFault::new(parameter, reason)
}

/// Ours: no rule is published. Something on both sides of one `@`; whether it exists, only a letter can tell.
fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    plain
        && text.len() <= 255
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn caller() -> PartnerAccountId {
        PartnerAccountId::new_test("LAP00001")
    }

    fn good() -> Value {
        json!({"iss": caller().as_str(), "sub": "user@partner.example", "amr": ["pwd"], "jti": "j-1",
            "iat": NOW / SECOND_US, "exp": NOW / SECOND_US + 3600, "account_id": "krn:a", "roles": ["merchant:admin"]})
    }

    #[test]
    fn a_token_with_all_claims_is_read() {
        let read = claims(&good(), &caller(), NOW).unwrap();
        assert_eq!((read.principal.as_str(), read.on_behalf_of.as_str()), ("user@partner.example", "krn:a"));
        assert_eq!(read.roles, [Role::Admin]);
    }

    #[test]
    fn every_claim_at_fault_is_named() {
        let cases = [
            ("iss", json!("krn:other")),
            ("sub", json!("nobody")),
            ("amr", json!([])),
            ("jti", json!("")),
            ("iat", json!(NOW / SECOND_US + 61)),
            ("exp", json!(NOW / SECOND_US)),
            ("exp", json!(NOW / SECOND_US + 3601)),
            ("account_id", json!(null)),
            ("roles", json!([])),
            ("roles", json!(["merchant:admin", "merchant:king"])),
        ];
        for (name, value) in cases {
            let mut token = good();
            token[name] = value.clone();
            let faults = claims(&token, &caller(), NOW).unwrap_err();
            let named: Vec<_> = faults.iter().map(|fault| fault.parameter.clone()).collect();
            assert!(named.contains(&format!("jwt.{name}")), "{name} {value}: {named:?}");
        }
        assert_eq!(claims(&json!({}), &caller(), NOW).unwrap_err().len(), 8);
    }
}
