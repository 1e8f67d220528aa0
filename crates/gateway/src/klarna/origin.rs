//! What stands behind a Partner's call (RES-8): the platform or plugin that the Partner's integration is made of.
//!
//! Partners say so in the header that Klarna itself has for it, `Klarna-Integration-Metadata`: `integrator` is what calls us, and
//! `originators` are the systems behind that. Towards Klarna the Acquiring Partner is the integrator; the Partner comes first among
//! the originators, and what it named follows in its order.

use http::HeaderMap;
use kit::http::{ApiError, FieldFault};
use protocol::header::{self, Integration};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// As Partners write the header in errors and documents.
pub const HEADER: &str = "Klarna-Integration-Metadata";
/// Klarna takes ten originators (fact sheet 01 §4.1), and the Partner is the first of them.
const BEHIND_MAX: usize = 9;
/// The members of an entry: name, longest text, whether it is required.
const MEMBERS: [(&str, usize, bool); 4] =
    [("name", 50, true), ("session_reference", 100, false), ("module_name", 50, false), ("module_version", 50, false)];

/// The systems behind a Partner's call, nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(Vec<Integration>);

impl Origin {
    /// Whether the Partner named nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a Partner's request says of itself; nothing without the header.
    ///
    /// # Errors
    /// 400 naming every member at fault. Stricter than Klarna, who only warns: what is passed on under the Acquiring Partner's name
    /// is in order.
    pub fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(header::KLARNA_INTEGRATION_METADATA) else { return Ok(Self::default()) };
        let whole = |reason: &'static str| ApiError::validation(vec![FieldFault::new(HEADER, reason)]);
        let text = value.to_str().map_err(|_| whole("must be one line of ASCII"))?;
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(whole(
                "must be a JSON object like {\"integrator\":{\"name\":\"WEBSHOP_X\",\"module_version\":\"3.1\"}}",
            ));
        };
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for name in members.keys().filter(|name| !matches!(name.as_str(), "integrator" | "originators")) {
            let name = FieldFault::shown_name(name);
            faults.push(FieldFault::new(format!("{HEADER}.{name}"), "is no member of this header"));
        }
        match members.get("integrator") {
            Some(entry) => found.extend(integration(entry, &format!("{HEADER}.integrator"), &mut faults)),
            None => faults.push(FieldFault::new(format!("{HEADER}.integrator"), "is required: what calls us")),
        }
        match members.get("originators") {
            None | Some(Value::Null) => {}
            Some(Value::Array(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    found.extend(integration(entry, &format!("{HEADER}.originators[{index}]"), &mut faults));
                }
                if entries.len() >= BEHIND_MAX {
                    let reason = format!("must have at most {} entries", BEHIND_MAX - 1);
                    faults.push(FieldFault::new(format!("{HEADER}.originators"), reason));
                }
            }
            Some(_) => faults.push(FieldFault::new(format!("{HEADER}.originators"), "must be an array")),
        }
        if faults.is_empty() { Ok(Self(found)) } else { Err(ApiError::validation(faults)) }
    }

    /// The originators of a call: the Partner, then what it named. Klarna wants a long-lived reference of each; where none was
    /// given it is the Partner's.
    pub fn behind(&self, partner: &Integration) -> Vec<Integration> {
        let named = self.0.iter().map(|one| Integration {
            session_reference: one.session_reference.clone().or_else(|| partner.session_reference.clone()),
            ..one.clone()
        });
        std::iter::once(partner.clone()).chain(named).collect()
    }
}

fn integration(entry: &Value, at: &str, faults: &mut Vec<FieldFault>) -> Option<Integration> {
    let Value::Object(members) = entry else {
        faults.push(FieldFault::new(at, "must be an object"));
        return None;
    };
    let before = faults.len();
    for name in members.keys().filter(|name| MEMBERS.iter().all(|(known, ..)| known != name)) {
        let name = FieldFault::shown_name(name);
        faults.push(FieldFault::new(format!("{at}.{name}"), "is no member of this header"));
    }
    for (name, longest, required) in MEMBERS {
        let fault = match members.get(name) {
            None | Some(Value::Null) if required => Some("is required".to_owned()),
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if name == "name" => (!is_name(text, longest)).then(|| {
                format!("must have 1 to {longest} of A-Z, 0-9 and _: the trade name in capitals, words joined by _")
            }),
            // Printable ASCII, so that ten of them fit into one header, whatever they hold.
            Some(Value::String(text)) if (1..=longest).contains(&text.len()) && is_printable(text) => None,
            Some(_) => Some(format!("must have 1 to {longest} printable ASCII characters")),
        };
        faults.extend(fault.map(|reason| FieldFault::new(format!("{at}.{name}"), reason)));
    }
    let text = |members: &Map<String, Value>, name: &str| members.get(name)?.as_str().map(str::to_owned);
    (faults.len() == before).then(|| Integration {
        name: text(members, "name"),
        session_reference: text(members, "session_reference"),
        module_name: text(members, "module_name"),
        module_version: text(members, "module_version"),
        ..Integration::default()
    })
}

fn is_name(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The Partner as an originator: its name in the form that fact sheet 01 §4.1 asks for, its id as the long-lived reference.
pub fn tag(name: &str, partner_id: &str) -> Integration {
    let mut folded = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            folded.push(character.to_ascii_uppercase());
        } else if !folded.is_empty() && !folded.ends_with('_') {
            folded.push('_');
        }
    }
    folded.truncate(50);
    let name = folded.trim_end_matches('_');
    Integration {
        name: Some(if name.is_empty() { "PARTNER".to_owned() } else { name.to_owned() }),
        session_reference: Some(partner_id.to_owned()),
        ..Integration::default()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use protocol::IntegrationMetadata;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Origin, Vec<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::KLARNA_INTEGRATION_METADATA, HeaderValue::try_from(text).unwrap());
        Origin::read(&headers)
            .map_err(|error| error.validation_errors.iter().map(|fault| fault.parameter.clone()).collect())
    }

    #[test]
    fn a_partners_name_becomes_a_tag_of_the_documented_form() {
        for (name, expected) in [("Ada's Mugs & Co.", "ADA_S_MUGS_CO"), ("  ", "PARTNER"), ("Größe 44", "GR_E_44")] {
            let tag = tag(name, "par_1");
            assert_eq!(tag.name.as_deref(), Some(expected));
            let metadata = IntegrationMetadata { integrator: Some(tag), ..IntegrationMetadata::default() };
            assert!(metadata.warnings().is_empty());
        }
    }

    #[test]
    fn what_a_partner_names_follows_it_and_borrows_its_reference() {
        let text = json!({"integrator": {"name": "LANTERN_CART", "module_name": "klarna", "module_version": "3.1"},
            "originators": [{"name": "HOSTED_SHOPS", "session_reference": "shop-77"}]});
        let behind = read(&text.to_string()).unwrap().behind(&tag("Ada", "par_1"));
        let shown: Vec<(&str, &str)> = behind
            .iter()
            .map(|one| (one.name.as_deref().unwrap(), one.session_reference.as_deref().unwrap()))
            .collect();
        assert_eq!(shown, [("ADA", "par_1"), ("LANTERN_CART", "par_1"), ("HOSTED_SHOPS", "shop-77")]);
        assert_eq!(Origin::default().behind(&tag("Ada", "par_1")).len(), 1);
    }

    #[test]
    fn every_member_at_fault_is_named() {
        assert_eq!(read("nonsense").unwrap_err(), [HEADER]);
        assert_eq!(read("[]").unwrap_err(), [HEADER]);
        let entry = json!({"name": "Lantern Cart", "module_version": "", "module_name": 7, "version": "1"});
        let wrong = json!({"originators": [entry, "x"], "customer": "Ada"});
        let mut named = read(&wrong.to_string()).unwrap_err();
        named.sort();
        let at = |tail: &str| format!("{HEADER}.{tail}");
        let mut expected = [
            at("customer"),
            at("integrator"),
            at("originators[0].module_name"),
            at("originators[0].module_version"),
            at("originators[0].name"),
            at("originators[0].version"),
            at("originators[1]"),
        ];
        expected.sort();
        assert_eq!(named, expected);
        let good = json!({"name": "X"});
        let many = |count: usize| json!({"integrator": good, "originators": vec![good.clone(); count]}).to_string();
        assert_eq!(read(&many(9)).unwrap_err(), [at("originators")]);
        // Ten of the longest fit into a header of the network's (RULINGS 1.6: 6 KB).
        let longest = json!({"name": "N".repeat(50), "session_reference": "\"".repeat(100), "module_name": "m".repeat(50),
            "module_version": "v".repeat(50)});
        let full = json!({"integrator": longest, "originators": vec![longest.clone(); 8]}).to_string();
        let originators = Some(read(&full).unwrap().behind(&tag(&"n".repeat(50), "par_1")));
        let metadata = IntegrationMetadata { originators, ..IntegrationMetadata::default() };
        assert!(metadata.warnings().len() == 1, "only the integrator is missing: {:?}", metadata.warnings());
        assert!(metadata.to_header().len() < 6_000);
    }
}
