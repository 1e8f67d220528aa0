//! The signed tokens by which the Acquiring Partner vouches for a user (fact sheets 01 §2.6, 02 §7.1): ES256, the certificate in `x5c`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kit::clock::SECOND_US;
use kit::http::ApiError;
use protocol::shape::{Kind, Row, Shape};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::field_faults;

/// How long a token is good for, in seconds: time for the call and for clocks that differ; Klarna allows an hour.
const LIFE_SECONDS: i64 = 300;
/// What a user may do in the portal (fact sheet 02 §7.3); the second is inferred there.
pub(super) const ROLES: &[&str] = &["merchant:admin", "merchant:developer"];

/// A user of a Partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    /// E-mail address; names the user at Klarna. Absent where a body leaves it to what is known of the Partner.
    pub email: Option<String>,
    /// Some of [`ROLES`].
    pub roles: Vec<String>,
    /// How the user signed in here (RFC 8176): `pwd`, `otp`.
    pub authentication_methods: Vec<String>,
}

/// Reads a body that names a user.
///
/// # Errors
/// 400 naming every field at fault.
pub(super) fn read_user(body: &Value, email_is_required: bool) -> Result<User, ApiError> {
    let email = Row::new("email", Kind::Email);
    let shape = Shape::new(
        vec![
            if email_is_required { email.required() } else { email },
            Row::new("roles", Kind::Array { min: 1, max: ROLES.len() }).required(),
            Row::new("roles[]", Kind::OneOf(ROLES)),
            Row::new("authentication_methods", Kind::Array { min: 1, max: 10 }),
            Row::new("authentication_methods[]", Kind::Text { min: 1, max: 20 }),
        ],
        &[],
    );
    let mut faults = field_faults(shape.check(body));
    let known = ["email", "roles", "authentication_methods"];
    crate::payments::body::refuse_unknown(body, &[&known], &mut faults);
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let texts = |name: &str| -> Vec<String> {
        let list = body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let methods = texts("authentication_methods");
    Ok(User {
        email: body.get("email").and_then(Value::as_str).map(str::to_owned),
        roles: texts("roles"),
        authentication_methods: if methods.is_empty() { vec!["pwd".to_owned()] } else { methods },
    })
}

/// What a token says.
pub(super) struct Claims<'a> {
    /// The Acquiring Partner's account.
    pub issuer: &'a str,
    /// The Partner's account.
    pub account: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// Who, beside the address.
    pub user: &'a User,
    /// Never used before.
    pub id: String,
    /// In microseconds UTC.
    pub now: i64,
}

/// Signs a token; `chain` are the certificates, in base64 of DER, that of the key first.
///
/// # Errors
/// A key that does not sign.
pub(super) fn sign(claims: &Claims<'_>, key: &EncodingKey, chain: &[String]) -> Result<String, ApiError> {
    let issued_at = claims.now / SECOND_US;
    let body = json!({"amr": claims.user.authentication_methods, "iss": claims.issuer, "jti": claims.id,
        "sub": claims.email, "iat": issued_at, "exp": issued_at + LIFE_SECONDS, "account_id": claims.account,
        "on_behalf_of": claims.account, "roles": claims.user.roles});
    let mut header = Header::new(Algorithm::ES256);
    header.x5c = Some(chain.to_vec());
    jsonwebtoken::encode(&header, &body, key).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_user_is_read_with_every_fault_named() {
        let read = read_user(&json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"]}), true).unwrap();
        assert_eq!(read.authentication_methods, ["pwd"]);
        assert!(read_user(&json!({"roles": ["merchant:developer"]}), false).unwrap().email.is_none());
        let wrong = json!({"email": "nobody", "roles": ["king"], "authentication_methods": [], "password": "x"});
        let error = read_user(&wrong, true).unwrap_err();
        let named: Vec<&str> = error.validation_errors.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(named, ["email", "roles[0]", "authentication_methods", "password"]);
        let named: Vec<String> = read_user(&json!({}), true)
            .unwrap_err()
            .validation_errors
            .iter()
            .map(|one| one.parameter.clone())
            .collect();
        assert_eq!(named, ["email", "roles"]);
    }

    #[test]
    fn a_token_is_short_lived_and_says_whom_it_is_for() {
        let made = kit::tls::signing_request("LAP00001").unwrap();
        let user = User {
            email: None,
            roles: vec!["merchant:admin".to_owned()],
            authentication_methods: vec!["pwd".to_owned(), "otp".to_owned()],
        };
        let claims = Claims {
            issuer: "krn:ap",
            account: "krn:partner",
            email: "ada@nordlicht.example",
            user: &user,
            id: "j-1".to_owned(),
            now: 1_772_445_600_999_999,
        };
        let token = sign(&claims, &EncodingKey::from_ec_der(&made.key_der), &["Y2VydA==".to_owned()]).unwrap();
        let parts: Vec<Value> = token
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "ES256", "typ": "JWT", "x5c": ["Y2VydA=="]}));
        assert_eq!(
            parts[1],
            json!({"amr": ["pwd", "otp"], "iss": "krn:ap", "jti": "j-1", "sub": "ada@nordlicht.example", "iat": 1_772_445_600,
                "exp": 1_772_445_900, "account_id": "krn:partner", "on_behalf_of": "krn:partner", "roles": ["merchant:admin"]})
        );
    }
}
