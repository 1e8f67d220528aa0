//! A Partner as the Acquiring Partner knows it: its parts, how they are changed, and what stands in the way of its submission. Pure.

use std::collections::BTreeMap;

use kit::http::FieldFault;
use protocol::shapes::accounts as shapes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::part::Kind;
use super::translate::{self, Scope};

/// One part of a Partner.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Names it in our books.
    pub part_id: String,
    /// What it is.
    pub kind: Kind,
    /// The Acquiring Partner's own name for it.
    pub reference: String,
    /// Its fields, in our names; see [`super::part`].
    pub body: Map<String, Value>,
    /// Klarna's id, once it is known there.
    pub klarna_id: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// The version that Klarna has.
    pub synced_version: Option<i64>,
}

impl Part {
    /// Whether a member names another part.
    pub fn names(&self, member: &str, other: &Self) -> bool {
        self.text(member) == Some(&other.reference)
    }

    /// A member that is a text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// Whether Klarna has another version than we.
    pub fn is_ahead(&self) -> bool {
        self.synced_version != Some(self.version)
    }
}

/// All parts of a Partner, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The parts; one of them is the account.
    pub parts: Vec<Part>,
}

/// What readiness says of a Partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it can be submitted as it is.
    pub ready: bool,
    /// What must be given or mended first.
    pub missing: Vec<Gap>,
    /// What would make acceptance likelier.
    pub improvements: Vec<Gap>,
    /// The same, counted by the country of the business entity concerned.
    pub countries: Vec<CountryReadiness>,
}

/// A field that is missing, wrong, or worth giving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    /// Its path: `business_entities[0].registration.number`.
    pub field: String,
    /// The country whose rules ask for it; null where every country asks.
    pub country: Option<String>,
    /// What is wrong, or what giving it is good for.
    pub reason: String,
}

/// How far a Partner is in one country.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CountryReadiness {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Whether nothing is missing there.
    pub ready: bool,
    /// Fields that are missing.
    pub missing: usize,
    /// Fields that are worth giving.
    pub improvements: usize,
}

/// What a body says of the parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub reference: String,
    /// What it says.
    pub body: Map<String, Value>,
}

/// Reads the body of a whole Partner, or of a change of one.
///
/// # Errors
/// Every fault of its structure: fields that do not exist, entries without a reference, references that repeat.
pub fn read(body: &Value, creating: bool) -> Result<Vec<Wanted>, Vec<FieldFault>> {
    let Value::Object(members) = body else { return Err(vec![FieldFault::new("", "must be an object")]) };
    let (mut wanted, mut faults) = (Vec::new(), Vec::new());
    let mut account = members.clone();
    account.retain(|name, _| Kind::LISTED.iter().all(|kind| kind.list() != name));
    translate::structure_faults(Kind::Account, &account, "", &mut faults);
    let reference = account.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned();
    if creating || account.contains_key("reference") {
        check_reference(account.get("reference"), "reference", &mut faults);
    }
    wanted.push(Wanted { kind: Kind::Account, reference, body: account });
    for kind in Kind::LISTED {
        let Some(list) = members.get(kind.list()).filter(|list| !list.is_null()) else { continue };
        let Value::Array(items) = list else {
            faults.push(FieldFault::new(kind.list(), "must be an array"));
            continue;
        };
        for (index, item) in items.iter().enumerate() {
            let at = format!("{}[{index}]", kind.list());
            if let Some(one) = read_part(kind, item, &at, &mut faults) {
                if wanted.iter().any(|other: &Wanted| other.kind == kind && other.reference == one.reference) {
                    faults.push(FieldFault::new(format!("{at}.reference"), "must not repeat another entry's"));
                }
                wanted.push(one);
            }
        }
    }
    if faults.is_empty() { Ok(wanted) } else { Err(faults) }
}

/// Reads the body of one part.
pub fn read_part(kind: Kind, item: &Value, at: &str, faults: &mut Vec<FieldFault>) -> Option<Wanted> {
    let Value::Object(members) = item else {
        faults.push(FieldFault::new(at, "must be an object"));
        return None;
    };
    translate::structure_faults(kind, members, at, faults);
    let name = if at.is_empty() { "reference".to_owned() } else { format!("{at}.reference") };
    check_reference(members.get("reference"), &name, faults);
    let reference = members.get("reference").and_then(Value::as_str)?.to_owned();
    Some(Wanted { kind, reference, body: members.clone() })
}

fn check_reference(given: Option<&Value>, at: &str, faults: &mut Vec<FieldFault>) {
    let fault = match given {
        None | Some(Value::Null) => "is required: your own name for it",
        Some(Value::String(text))
            if (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control) =>
        {
            return;
        }
        Some(_) => "must be a text of 1 to 255 characters",
    };
    faults.push(FieldFault::new(at, fault));
}

/// A JSON merge patch (RFC 7396): null removes, objects are merged, all else replaces.
pub fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (into.get_mut(name), value) {
            (_, Value::Null) => drop(into.remove(name)),
            (Some(Value::Object(known)), Value::Object(more)) => merge(known, more),
            (_, Value::Object(more)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, more);
                into.insert(name.clone(), Value::Object(fresh));
            }
            (_, value) => drop(into.insert(name.clone(), value.clone())),
        }
    }
}

impl Profile {
    /// The account itself.
    pub fn account(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.kind == Kind::Account)
    }

    /// The Acquiring Partner's own name for the Partner.
    pub fn reference(&self) -> &str {
        self.account().map(|account| account.reference.as_str()).unwrap_or_default()
    }

    /// The Partner's name, as far as it is known.
    pub fn name(&self) -> &str {
        self.account().and_then(|account| account.text("name")).unwrap_or_default()
    }

    /// Parts of a kind, with their places in the list.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().filter(move |part| part.kind == kind).enumerate()
    }

    /// One part.
    pub fn find(&self, kind: Kind, reference: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.kind == kind && (kind == Kind::Account || part.reference == reference))
    }

    /// Applies what is wanted: parts that are known are changed, others added; says which changed, by their index.
    /// `new_id` names new parts.
    pub fn apply(&mut self, wanted: &[Wanted], mut new_id: impl FnMut() -> String) -> Vec<usize> {
        let mut changed = Vec::new();
        for want in wanted {
            let known = self.parts.iter().position(|part| {
                part.kind == want.kind && (want.kind == Kind::Account || part.reference == want.reference)
            });
            if let Some(index) = known {
                let part = &mut self.parts[index];
                let before = part.body.clone();
                merge(&mut part.body, &want.body);
                if part.body != before {
                    part.version += 1;
                    if let Some(reference) = part.body.get("reference").and_then(Value::as_str) {
                        reference.clone_into(&mut part.reference);
                    }
                    changed.push(index);
                }
            } else {
                let mut body = Map::new();
                merge(&mut body, &want.body);
                self.parts.push(Part {
                    part_id: new_id(),
                    kind: want.kind,
                    reference: want.reference.clone(),
                    body,
                    klarna_id: None,
                    version: 1,
                    synced_version: None,
                });
                changed.push(self.parts.len() - 1);
            }
        }
        changed
    }

    /// The whole, as it is read and written.
    pub fn document(&self) -> Map<String, Value> {
        let mut document = self.account().map(|account| account.body.clone()).unwrap_or_default();
        for kind in Kind::LISTED {
            let list: Vec<Value> = self.of(kind).map(|(_, part)| part_view(part)).collect();
            document.insert(kind.list().to_owned(), Value::Array(list));
        }
        document
    }

    /// What is wrong with what is given, gaps aside: a draft may have gaps, never nonsense.
    pub fn wrong(&self) -> Vec<FieldFault> {
        self.judged().into_iter().filter(|(_, is_gap)| !is_gap).map(|(fault, _)| fault).collect()
    }

    /// All that stands in the way of a submission.
    pub fn missing(&self) -> Vec<FieldFault> {
        self.judged().into_iter().map(|(fault, _)| fault).collect()
    }

    /// Every fault that stands in the way of a submission, and whether it is a gap.
    fn judged(&self) -> Vec<(FieldFault, bool)> {
        let mut translated = translate::onboarding(self, Scope::Whole);
        // Ours: a business is asked for its registration, or for who stands behind it, in every case.
        for entity in translated.body["partner_business_entities"].as_array_mut().into_iter().flatten() {
            if entity.pointer("/supplementary_business_data/legal_registration").is_none() {
                if !entity["supplementary_business_data"].is_object() {
                    entity["supplementary_business_data"] = json!({});
                }
                entity["supplementary_business_data"]["legal_registration"] = json!({});
            }
        }
        let found = shapes::onboard().check(&translated.body);
        let mut judged: Vec<(FieldFault, bool)> =
            found.iter().map(|fault| (translated.our_fault(fault), !translated.holds(fault.parameter()))).collect();
        for kind in Kind::LISTED {
            for (index, part) in self.of(kind) {
                for (member, linked) in kind.links() {
                    let Some(named) = part.body.get(*member).filter(|named| !named.is_null()) else { continue };
                    let is_known = named.as_str().is_some_and(|named| self.find(*linked, named).is_some());
                    let field = format!("{}[{index}].{member}", kind.list());
                    if !is_known && judged.iter().all(|(fault, _)| fault.parameter != field) {
                        let reason = format!("names nothing in {}", linked.list());
                        judged.push((FieldFault::new(field, reason), true));
                    }
                }
                if kind == Kind::Store && part.text("store_group").is_none() {
                    let field = format!("stores[{index}].store_group");
                    judged.push((FieldFault::new(field, "is required"), true));
                }
            }
        }
        judged
    }

    /// The country whose rules a field is under.
    fn country_of(&self, field: &str) -> Option<String> {
        let (list, rest) = field.split_once('[')?;
        let (index, _) = rest.split_once(']')?;
        let index: usize = index.parse().ok()?;
        let kind = Kind::LISTED.into_iter().find(|kind| kind.list() == list)?;
        let (_, part) = self.of(kind).nth(index)?;
        let entity = match kind {
            Kind::BusinessEntity => part,
            Kind::PaymentAccount => self.find(Kind::BusinessEntity, part.text("business_entity")?)?,
            Kind::Account | Kind::Brand | Kind::StoreGroup | Kind::Store => return None,
        };
        entity.text("country").map(str::to_ascii_uppercase)
    }

    /// What is missing for a submission, and what would help.
    pub fn readiness(&self) -> Readiness {
        let gap = |field: String, reason: String| Gap { country: self.country_of(&field), field, reason };
        let missing: Vec<Gap> =
            self.judged().into_iter().map(|(fault, _)| gap(fault.parameter.clone(), fault.reason)).collect();
        let mut improvements = Vec::new();
        for kind in Kind::ALL {
            for (index, part) in self.of(kind) {
                let at = if kind == Kind::Account { String::new() } else { format!("{}[{index}].", kind.list()) };
                for field in kind.fields() {
                    let Some(benefit) = field.benefit else { continue };
                    for absent in absent(&Value::Object(part.body.clone()), field.ours) {
                        let path = format!("{at}{absent}");
                        if missing.iter().all(|gap| gap.field != path) {
                            improvements.push(gap(path, benefit.to_owned()));
                        }
                    }
                }
            }
        }
        let mut countries: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (_, entity) in self.of(Kind::BusinessEntity) {
            if let Some(country) = entity.text("country") {
                countries.entry(country.to_ascii_uppercase()).or_default();
            }
        }
        for country in missing.iter().filter_map(|gap| gap.country.clone()) {
            countries.entry(country).or_default().0 += 1;
        }
        for country in improvements.iter().filter_map(|gap| gap.country.clone()) {
            countries.entry(country).or_default().1 += 1;
        }
        let countries = countries.into_iter().map(|(country, (missing, improvements))| CountryReadiness {
            country,
            ready: missing == 0,
            missing,
            improvements,
        });
        Readiness { ready: missing.is_empty(), countries: countries.collect(), missing, improvements }
    }
}

/// A part as it is shown: its fields, and what Klarna calls it.
pub fn part_view(part: &Part) -> Value {
    let mut view = part.body.clone();
    view.insert("klarna_id".to_owned(), json!(part.klarna_id));
    Value::Object(view)
}

/// The places of a field at which nothing stands; one for an empty list.
fn absent(body: &Value, field: &str) -> Vec<String> {
    fn look(value: Option<&Value>, segments: &[&str], at: &str, found: &mut Vec<String>) {
        let Some((first, more)) = segments.split_first() else {
            if value.is_none_or(Value::is_null) {
                found.push(at.to_owned());
            }
            return;
        };
        let name = first.trim_end_matches("[]");
        let member = value.and_then(|value| value.get(name));
        let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        if !first.ends_with("[]") {
            return look(member, more, &path, found);
        }
        match member.and_then(Value::as_array).filter(|items| !items.is_empty()) {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    look(Some(item), more, &format!("{path}[{index}]"), found);
                }
            }
            // Once for the list, not for each of its fields.
            None if !found.contains(&path) => found.push(path),
            None => {}
        }
    }
    let (mut found, segments) = (Vec::new(), field.split('.').collect::<Vec<_>>());
    look(Some(body), &segments, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Partner that can be submitted.
    fn complete() -> Value {
        json!({"reference": "m-1", "name": "Nordlicht", "contact": {"email": "ada@nordlicht.example"},
            "payment_profile_id": "krn:network:global:test:payment-profile:6a1d0c1e-0000-4000-8000-000000000001",
            "business_entities": [{"reference": "le", "legal_name": "Nordlicht GmbH", "country": "DE",
                "registration": {"number": "HRB 123456", "authority": "Kiel"}}],
            "brands": [{"reference": "b", "display_name": "Nordlicht"}],
            "store_groups": [{"reference": "sg", "brand": "b"}],
            "stores": [{"reference": "web", "store_group": "sg", "type": "WEBSITE", "url": "https://nordlicht.example"}],
            "payment_accounts": [{"reference": "pa", "business_entity": "le", "store_group": "sg",
                "acquiring_account_id": "krn:partner:global:acquiring-account:6a1d0c1e-0000-4000-8000-0000000000aa",
                "merchant_category_code": "5941"}]})
    }

    fn profile(body: &Value) -> Profile {
        let (mut profile, mut ids) = (Profile::default(), 0);
        profile.apply(&read(body, true).unwrap(), || {
            ids += 1;
            format!("part_{ids}")
        });
        profile
    }

    fn missing(body: &Value) -> Vec<String> {
        profile(body).readiness().missing.into_iter().map(|gap| gap.field).collect()
    }

    #[test]
    fn a_complete_partner_is_ready_and_is_told_what_would_help() {
        let readiness = profile(&complete()).readiness();
        assert!(readiness.ready, "{readiness:?}");
        assert_eq!(readiness.countries.len(), 1);
        assert!(readiness.countries[0].ready && readiness.countries[0].improvements > 0);
        let helpful: Vec<&str> = readiness.improvements.iter().map(|gap| gap.field.as_str()).collect();
        assert!(helpful.contains(&"business_entities[0].stakeholders"), "{helpful:?}");
        assert!(helpful.contains(&"brands[0].logo_url") && helpful.contains(&"contact.phone"), "{helpful:?}");
    }

    #[test]
    fn an_empty_draft_is_asked_for_everything_in_our_names() {
        assert_eq!(
            missing(&json!({"reference": "m"})),
            ["name", "contact", "payment_profile_id", "payment_accounts", "business_entities", "store_groups"]
        );
    }

    #[test]
    fn each_field_that_is_taken_away_is_the_one_that_is_missing() {
        for (path, expected) in [
            ("/name", "name"),
            ("/contact/email", "contact"),
            ("/business_entities/0/legal_name", "business_entities[0].legal_name"),
            ("/business_entities/0/registration/number", "business_entities[0].registration.number"),
            ("/business_entities/0/registration/authority", "business_entities[0].registration.authority"),
            ("/business_entities/0/registration", "business_entities[0].registration.number"),
            ("/stores/0/url", "stores[0].url"),
            ("/stores/0/store_group", "stores[0].store_group"),
            ("/brands/0/display_name", "brands[0].display_name"),
            ("/payment_accounts/0/merchant_category_code", "payment_accounts[0].merchant_category_code"),
            ("/payment_accounts/0/business_entity", "payment_accounts[0].business_entity"),
            ("/payment_accounts/0/store_group", "payment_accounts[0].store_group"),
        ] {
            let mut body = complete();
            let (above, name) = path.rsplit_once('/').unwrap();
            body.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(name);
            assert!(missing(&body).contains(&expected.to_owned()), "{path}: {:?}", missing(&body));
        }
    }

    #[test]
    fn nonsense_is_wrong_even_in_a_draft_and_a_gap_is_not() {
        let mut body = complete();
        body["business_entities"][0]["registration"]["number"] = json!("12");
        body["stores"][0]["url"] = json!("not a url");
        body["contact"] = json!({"given_name": "Ada"});
        let wrong: Vec<String> = profile(&body).wrong().into_iter().map(|fault| fault.parameter).collect();
        assert_eq!(wrong, ["stores[0].url", "business_entities[0].registration.number"]);
    }

    #[test]
    fn what_is_no_field_is_named_and_references_are_unique() {
        let faults = read(
            &json!({"reference": "m", "colour": "red", "contact": {"fax": "1"}, "stores": 7, "brands": [
                {"reference": "b"}, {"reference": "b"}, {"display_name": "B"}],
                "business_entities": [{"reference": "e", "stakeholders": [{"shoe_size": 44}]}]}),
            true,
        )
        .unwrap_err();
        let named: Vec<&str> = faults.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(
            named,
            [
                "colour",
                "contact.fax",
                "business_entities[0].stakeholders[0].shoe_size",
                "brands[1].reference",
                "brands[2].reference",
                "stores"
            ]
        );
    }

    #[test]
    fn an_incremental_call_says_only_what_is_new() {
        let mut profile = profile(&complete());
        for part in &mut profile.parts {
            part.klarna_id = Some("krn:x".to_owned());
        }
        let more = json!({"stores": [{"reference": "kiel", "store_group": "sg", "type": "WEBSITE", "url": "https://k.example"}]});
        profile.apply(&read(&more, false).unwrap(), || "part_9".to_owned());
        let translated = translate::onboarding(&profile, Scope::New);
        assert_eq!(
            translated.body,
            json!({"partner_account_reference": "m-1", "store_groups": [{"store_group_reference": "sg", "stores": [
                {"store_reference": "kiel", "type": "WEBSITE", "url": "https://k.example"}]}]})
        );
        assert_eq!(translated.our_path("store_groups[0].stores[0].url"), "stores[1].url");
    }

    #[test]
    fn values_go_to_klarna_and_come_back() {
        let part = Part {
            part_id: "p".to_owned(),
            kind: Kind::BusinessEntity,
            reference: "le".to_owned(),
            body: json!({"reference": "le", "legal_name": "N", "country": "SE", "stakeholders": [
                {"given_name": "Ada", "roles": ["OWNER", "DIRECTOR"], "national_identification": {"number": "1"}},
                {"family_name": "Lind", "address": {"city": "Kiel"}}],
                "payouts": {"bank_accounts": [{"type": "IBAN", "iban": "DE89370400440532013000"}]}})
            .as_object()
            .unwrap()
            .clone(),
            klarna_id: None,
            version: 1,
            synced_version: None,
        };
        let entry = translate::entry(&part);
        assert_eq!(entry["supplementary_business_data"]["stakeholders"][0]["roles"], json!(["OWNER", "DIRECTOR"]));
        assert_eq!(entry["supplementary_business_data"]["stakeholders"][1]["address"]["city"], "Kiel");
        assert_eq!(translate::ours(Kind::BusinessEntity, &entry), part.body);
    }
}
