//! Bank account numbers: how they are cleaned, and how they are hashed for Partners who do not send them in the clear
//! (fact sheet 02 §6.1).

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::ValidationError;

/// The members of a bank account that may be hashed: the number in the clear, and its hash.
pub const HASHABLE: [(&str, &str); 2] = [("iban", "iban_hash"), ("account_number", "account_number_hash")];

/// How account numbers are hashed: Argon2id with fixed parameters and one salt that Klarna shares beforehand, so that equal
/// numbers have equal hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Bytes of the result.
    pub output_len: usize,
    /// Shared beforehand.
    pub salt: Vec<u8>,
    /// The one value of `sanitization_method`.
    pub sanitization_method: String,
    /// The one value of `hash_method`.
    pub hash_method: String,
}

impl Default for Hashing {
    /// Of the test environment. Ours: Klarna gives parameters and salt on agreement, and the two names were never seen.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            output_len: 32,
            salt: b"kontor-test-salt".to_vec(),
            sanitization_method: "UPPERCASE_WITHOUT_WHITESPACE".to_owned(),
            hash_method: "ARGON2ID".to_owned(),
        }
    }
}

/// The parameters are none that Argon2 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameters for hashing bank account numbers are not usable")]
pub struct HashingError;

/// An account number as it is hashed: without blanks, in capitals.
pub fn sanitized(number: &str) -> String {
    number.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_uppercase).collect()
}

/// Whether a text has the form of an IBAN: two letters, two digits, up to 34 letters and digits in all. Its check digits are not
/// looked at: invented ones are what tests send.
pub fn is_iban(text: &str) -> bool {
    let text = sanitized(text);
    let bytes = text.as_bytes();
    (5..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes[4..].iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a text has the form of a BIC: 8 or 11 letters and digits.
pub fn is_bic(text: &str) -> bool {
    matches!(text.len(), 8 | 11) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Hashing {
    /// The hash of an account number, in Base64 with padding.
    ///
    /// # Errors
    /// [`HashingError`].
    pub fn hash(&self, number: &str) -> Result<String, HashingError> {
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, Some(self.output_len))
            .map_err(|_| HashingError)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut output = vec![0; self.output_len];
        argon.hash_password_into(sanitized(number).as_bytes(), &self.salt, &mut output).map_err(|_| HashingError)?;
        Ok(STANDARD.encode(output))
    }

    /// What is wrong with the form of the hashes of one entry of `bank_accounts`, which stands at `at`. Reasons show no hash.
    pub fn faults(&self, account: &Value, at: &str, faults: &mut Vec<ValidationError>) {
        for (_, hashed) in HASHABLE {
            let Some(hash) = account.get(hashed).filter(|hash| hash.is_object()) else { continue };
            let text = |name: &str| hash.get(name).and_then(Value::as_str);
            let at = format!("{at}.{hashed}");
            for (name, wanted) in
                [("sanitization_method", &self.sanitization_method), ("hash_method", &self.hash_method)]
            {
                if text(name).is_some_and(|given| given != wanted) {
                    faults.push(ValidationError::new(format!("{at}.{name}"), format!("must be {wanted}")));
                }
            }
            let length = text("value").map(|value| STANDARD.decode(value).map(|bytes| bytes.len()));
            if length.is_some_and(|length| length != Ok(self.output_len)) {
                let reason = format!("must be the Base64 of {} bytes", self.output_len);
                faults.push(ValidationError::new(format!("{at}.value"), reason));
            }
        }
    }

    /// Where a number that is sent in the clear is not the one that is sent hashed beside it. Each takes the time that the hash is
    /// meant to take: not for a thread that others wait for.
    pub fn mismatches(&self, account: &Value, at: &str, faults: &mut Vec<ValidationError>) {
        for (clear, hashed) in HASHABLE {
            let clear_text = account.get(clear).and_then(Value::as_str);
            let value = account.get(hashed).and_then(|hash| hash.get("value")).and_then(Value::as_str);
            let Some((number, value)) = clear_text.zip(value) else { continue };
            if self.hash(number).as_deref() != Ok(value) {
                let reason = format!("must be the hash of {clear}, which is sent, too");
                faults.push(ValidationError::new(format!("{at}.{hashed}.value"), reason));
            }
        }
    }
}

/// The bank accounts of a business as it is sent, with where each stands below `at`, in either spelling of the payouts' state.
pub fn of_business<'a>(entity: &'a Value, at: &str) -> Vec<(String, &'a Value)> {
    let data = entity.get("supplementary_business_data");
    let mut found = Vec::new();
    for payouts in ["partner_payouts_state", "partner_payout_states"] {
        let accounts = data.and_then(|data| data.get(payouts)?.get("bank_accounts")?.as_array());
        let dot = if at.is_empty() { "" } else { "." };
        found.extend(accounts.into_iter().flatten().enumerate().map(|(index, account)| {
            (format!("{at}{dot}supplementary_business_data.{payouts}.bank_accounts[{index}]"), account)
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn small() -> Hashing {
        Hashing { memory_kib: 8, iterations: 1, ..Hashing::default() }
    }

    #[test]
    fn numbers_are_hashed_without_blanks_and_in_capitals() {
        assert_eq!(sanitized("de19 1231\t2312"), "DE1912312312");
        let hash = small().hash("de19 1231 2312").unwrap();
        assert_eq!(hash, small().hash("DE1912312312").unwrap());
        assert_eq!(STANDARD.decode(&hash).unwrap().len(), 32);
        assert_ne!(hash, small().hash("DE1912312313").unwrap());
        let other = Hashing { salt: b"another-test-salt".to_vec(), ..small() };
        assert_ne!(hash, other.hash("DE1912312312").unwrap());
        assert_eq!(Hashing { memory_kib: 0, ..small() }.hash("DE1912312312"), Err(HashingError));
    }

    #[test]
    fn a_hash_must_be_of_the_agreed_form_and_of_the_number_beside_it() {
        let check = |account: Value| {
            let mut faults = Vec::new();
            small().faults(&account, "b", &mut faults);
            if faults.is_empty() {
                small().mismatches(&account, "b", &mut faults);
            }
            faults.into_iter().filter_map(|fault| fault.parameter).collect::<Vec<_>>()
        };
        let hash = small().hash("DE1912312312").unwrap();
        assert!(check(json!({"iban": "DE19 1231 2312"})).is_empty());
        assert!(
            check(json!({"iban_hash": {"value": hash, "sanitization_method": "UPPERCASE_WITHOUT_WHITESPACE"}}))
                .is_empty()
        );
        assert!(check(json!({"iban": "de1912312312", "iban_hash": {"value": hash}})).is_empty());
        assert_eq!(check(json!({"iban": "DE1912312313", "iban_hash": {"value": hash}})), ["b.iban_hash.value"]);
        assert_eq!(check(json!({"iban_hash": {"value": "c2hvcnQ="}})), ["b.iban_hash.value"]);
        assert_eq!(check(json!({"account_number_hash": {"value": "not base64"}})), ["b.account_number_hash.value"]);
        let named = json!({"iban_hash": {"value": hash, "sanitization_method": "NONE", "hash_method": "MD5"}});
        assert_eq!(check(named), ["b.iban_hash.sanitization_method", "b.iban_hash.hash_method"]);
    }

    #[test]
    fn forms_of_ibans_and_bics() {
        for good in ["DE19 1231 2312", "de89370400440532013000", "SE4550000000058398257466"] {
            assert!(is_iban(good), "{good}");
        }
        for bad in ["", "DE1", "1234567890", "DE191231-2312", &"DE19".repeat(10)] {
            assert!(!is_iban(bad), "{bad}");
        }
        assert!(is_bic("NDEASEGGXXX") && is_bic("NDEASEGG") && !is_bic("NDEA"));
    }
}
