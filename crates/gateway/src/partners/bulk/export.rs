//! Partners in the form in which an import takes them. Pure.

use serde_json::{Map, Value};

use super::super::part::Kind;
use super::super::profile::Profile;

/// What is of persons, by the beginning of its path: left out of an export unless it is asked for.
pub const PERSONAL: [&str; 5] = [
    "contact.",
    "sign_up.",
    "business_entities[].stakeholders[].",
    "business_entities[].registration.tax_number",
    "business_entities[].payouts.bank_accounts[].",
];

/// A Partner as an import takes it. Without personal data, the members that hold them are absent: an import of it leaves them alone.
pub(super) fn document(profile: &Profile, personal: bool) -> Value {
    let mut document = profile.document();
    for kind in Kind::LISTED {
        let entries = document.get_mut(kind.list()).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
            entry.remove("klarna_id");
            if !personal {
                strip(entry, &format!("{}[]", kind.list()));
            }
        }
    }
    if !personal {
        strip(&mut document, "");
    }
    Value::Object(document)
}

fn strip(members: &mut Map<String, Value>, at: &str) {
    for path in PERSONAL {
        let Some(inner) = path.strip_prefix(at) else { continue };
        let inner = inner.trim_start_matches('.').trim_end_matches('.').trim_end_matches("[]");
        remove(members, &inner.split('.').collect::<Vec<_>>());
    }
}

fn remove(members: &mut Map<String, Value>, path: &[&str]) {
    match path {
        [] => {}
        [last] => drop(members.remove(*last)),
        [first, more @ ..] => {
            if let Some(inner) = members.get_mut(*first).and_then(Value::as_object_mut) {
                remove(inner, more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::profile;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_of_persons_is_left_out_unless_it_is_asked_for() {
        let given = json!({"reference": "m-1", "name": "N", "contact": {"email": "ada@n.example"}, "sign_up": {"ip_address": "::1"},
            "business_entities": [{"reference": "le", "country": "DE", "registration": {"number": "HRB 1234", "tax_number": "T1"},
                "stakeholders": [{"given_name": "Ada"}],
                "payouts": {"status": "ENABLED", "bank_accounts": [{"type": "IBAN", "iban": "DE89"}]}}]});
        let mut partner = Profile::default();
        partner.apply(&profile::read(&given, true).unwrap(), || "p".to_owned());
        let mut whole = document(&partner, true);
        // Lists that are empty are named, too.
        whole.as_object_mut().unwrap().retain(|_, value| *value != json!([]));
        assert_eq!(whole, given);
        let bare = document(&partner, false);
        let text = bare.to_string();
        for personal in ["ada@", "::1", "T1", "Ada", "DE89"] {
            assert!(!text.contains(personal), "{personal}: {text}");
        }
        assert_eq!(bare["business_entities"][0]["payouts"], json!({"status": "ENABLED"}));
        assert_eq!(bare["business_entities"][0]["registration"]["number"], "HRB 1234");
    }
}
