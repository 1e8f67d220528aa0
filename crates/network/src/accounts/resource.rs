//! What a Partner account consists of: business entities, brands, store groups, stores, relationships, access policies.
//!
//! They differ in their members and in what they belong to; their lives are the same: made, changed by merge patches, listed, never
//! removed. Pure: what a body makes of one, what a change changes, whether onboarding again contradicts it.

use kit::http::FieldFault;
use protocol::shape::Shape;
use protocol::{
    AccessPolicyId, BrandId, BusinessEntityId, PartnerAccountRelationshipId, StoreGroupId, StoreId, ValidationError,
    shapes::accounts as shapes,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The sorts of resource below a Partner account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A legal entity, with what is known of it.
    BusinessEntity,
    /// What shoppers know the Partner by.
    Brand,
    /// Stores under one brand.
    StoreGroup,
    /// A place of sale.
    Store,
    /// A link to another Partner account.
    Relationship,
    /// Which resources users and credentials may see. Kept, not enforced, as at Klarna.
    AccessPolicy,
}

impl Kind {
    /// Those that onboarding makes, each before what may belong to it.
    pub const ONBOARDED: [Self; 6] =
        [Self::BusinessEntity, Self::Brand, Self::StoreGroup, Self::Store, Self::Relationship, Self::AccessPolicy];

    /// As stored, and as `resource_type` of events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BusinessEntity => "partner_business_entity",
            Self::Brand => "brand",
            Self::StoreGroup => "store_group",
            Self::Store => "store",
            Self::Relationship => "partner_account_relationship",
            Self::AccessPolicy => "access_policy",
        }
    }

    pub(super) fn stored(text: &str) -> Option<Self> {
        Self::ONBOARDED.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The member that holds its id.
    pub fn id_member(self) -> &'static str {
        match self {
            Self::BusinessEntity => "partner_business_entity_id",
            Self::Brand => "brand_id",
            Self::StoreGroup => "store_group_id",
            Self::Store => "store_id",
            Self::Relationship => "partner_account_relationship_id",
            Self::AccessPolicy => "access_policy_id",
        }
    }

    /// The member that holds the Acquiring Partner's own name for it; relationships have none.
    pub fn reference_member(self) -> Option<&'static str> {
        match self {
            Self::BusinessEntity => Some("partner_business_entity_reference"),
            Self::Brand => Some("brand_reference"),
            Self::StoreGroup => Some("store_group_reference"),
            Self::Store => Some("store_reference"),
            Self::Relationship => None,
            Self::AccessPolicy => Some("access_policy_reference"),
        }
    }

    /// The member of lists.
    pub fn list_member(self) -> &'static str {
        match self {
            Self::BusinessEntity => "partner_business_entities",
            Self::Brand => "brands",
            Self::StoreGroup => "store_groups",
            Self::Store => "stores",
            Self::Relationship => "partner_account_relationships",
            Self::AccessPolicy => "access_policies",
        }
    }

    /// What it belongs to.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::StoreGroup => Some(Self::Brand),
            Self::Store => Some(Self::StoreGroup),
            Self::BusinessEntity | Self::Brand | Self::Relationship | Self::AccessPolicy => None,
        }
    }

    /// The members that are kept of a body, beside reference and parent.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::BusinessEntity => &[
                "legal_registered_entity_name",
                "legal_registration_country",
                "enabled_merchant_category_codes",
                "supplementary_business_data",
            ],
            Self::Brand => &["display_name", "element"],
            Self::StoreGroup => &["support_contact", "social_media_links"],
            Self::Store => &["type", "url", "platform", "bundle_names", "address"],
            Self::Relationship => &["type", "target_partner_account_id"],
            Self::AccessPolicy => &["type", "rules"],
        }
    }

    /// What the body of a creation must look like; also, what must hold after a change.
    pub fn create_shape(self) -> &'static Shape {
        match self {
            Self::BusinessEntity => shapes::business_entity_create(),
            Self::Brand => shapes::brand_create(),
            Self::StoreGroup => shapes::store_group_create(),
            Self::Store => shapes::store_create(),
            Self::Relationship => shapes::relationship_create(),
            Self::AccessPolicy => shapes::access_policy_create(),
        }
    }

    /// What the body of a change must look like.
    pub fn update_shape(self) -> &'static Shape {
        match self {
            Self::BusinessEntity => shapes::business_entity_update(),
            Self::Brand => shapes::brand_update(),
            Self::StoreGroup => shapes::store_group_update(),
            Self::Store => shapes::store_update(),
            Self::Relationship => shapes::relationship_update(),
            Self::AccessPolicy => shapes::access_policy_update(),
        }
    }

    /// A new id.
    pub fn new_id(self, id: Uuid) -> String {
        match self {
            Self::BusinessEntity => BusinessEntityId::new(id).to_string(),
            Self::Brand => BrandId::new(id).to_string(),
            Self::StoreGroup => StoreGroupId::new(id).to_string(),
            Self::Store => StoreId::new(id).to_string(),
            Self::Relationship => PartnerAccountRelationshipId::new(id).to_string(),
            Self::AccessPolicy => AccessPolicyId::new(id).to_string(),
        }
    }

    /// What a caller hears of an id that names none of the account's.
    pub fn absent(self) -> &'static str {
        match self {
            Self::BusinessEntity => "The business entity does not exist.",
            Self::Brand => "The brand does not exist.",
            Self::StoreGroup => "The store group does not exist.",
            Self::Store => "The store does not exist.",
            Self::Relationship => "The relationship does not exist.",
            Self::AccessPolicy => "The access policy does not exist.",
        }
    }

    /// Its unique name in the account: the reference, or what a relationship links.
    fn reference_in(self, body: &Value) -> Option<String> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        match self.reference_member() {
            Some(member) => text(member),
            None => Some(format!("{} {}", text("type")?, text("target_partner_account_id")?)),
        }
    }
}

/// A resource of a Partner account.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Of which sort.
    pub kind: Kind,
    /// Its KRN.
    pub id: String,
    /// The Acquiring Partner's name for it, unique among those of its sort.
    pub reference: String,
    /// The id of what it belongs to.
    pub parent_id: Option<String>,
    /// Its members by their names on the wire.
    pub content: Map<String, Value>,
    /// In microseconds UTC.
    pub created_at: i64,
    /// In microseconds UTC.
    pub updated_at: i64,
}

impl Resource {
    /// What the body of a creation, which has passed its shape, makes. The parent is resolved by the caller.
    pub fn new(kind: Kind, id: String, body: &Value, parent_id: Option<String>, now: i64) -> Self {
        let reference = kind.reference_in(body).unwrap_or_default();
        Self { kind, id, reference, parent_id, content: content(kind, body), created_at: now, updated_at: now }
    }

    /// Itself after a merge patch (RFC 7396), and the paths of the members that differ. The parent is resolved by the caller:
    /// `Some(None)` takes it away.
    pub fn patched(&self, patch: &Value, parent_id: Option<Option<String>>, now: i64) -> (Self, Vec<String>) {
        let patch = with_one_spelling(self.kind, patch);
        let mut next = self.clone();
        for name in self.kind.members() {
            if let Some(change) = patch.get(*name) {
                merge_member(&mut next.content, name, change);
            }
        }
        let mut changed = Vec::new();
        differences(&self.content, &next.content, "", &mut changed);
        if let Some(parent_id) = parent_id.filter(|parent_id| *parent_id != self.parent_id) {
            next.parent_id = parent_id;
            changed.extend(self.kind.parent().map(|parent| parent.id_member().to_owned()));
        }
        let renamed = match self.kind.reference_member() {
            Some(member) => patch.get(member).and_then(Value::as_str).map(str::to_owned),
            None => self.kind.reference_in(&Value::Object(next.content.clone())),
        };
        if let Some(reference) = renamed.filter(|reference| *reference != self.reference) {
            next.reference = reference;
            changed.extend(self.kind.reference_member().map(str::to_owned));
        }
        if !changed.is_empty() {
            next.updated_at = now;
        }
        changed.sort_unstable();
        (next, changed)
    }

    /// What is wrong with it as a whole: the rules of a creation must hold after every change, too.
    pub fn faults(&self) -> Vec<ValidationError> {
        let mut body = Value::Object(self.content.clone());
        if let Some(member) = self.kind.reference_member() {
            body[member] = json!(self.reference);
        }
        if let (Some(parent), Some(id)) = (self.kind.parent(), &self.parent_id) {
            body[parent.id_member()] = json!(id);
        }
        self.kind.create_shape().check(&body)
    }

    /// Where a body that onboards again says something else. What it leaves out contradicts nothing: onboarding adds, it never
    /// changes (fact sheet 02 §2.5). Reasons show no values.
    pub fn contradictions(&self, body: &Value, parent_id: Option<&str>, at: &str) -> Vec<FieldFault> {
        let given = content(self.kind, body);
        let mut paths = Vec::new();
        for (name, value) in &given {
            contradicted(self.content.get(name).unwrap_or(&Value::Null), value, name, &mut paths);
        }
        if let (Some(parent), Some(id)) = (self.kind.parent(), parent_id)
            && self.parent_id.as_deref() != Some(id)
        {
            paths.push(parent.reference_member().unwrap_or(parent.id_member()).to_owned());
        }
        let reason = "differs from what was onboarded; change it with its own operation";
        paths.into_iter().map(|path| FieldFault::new(format!("{at}.{path}"), reason)).collect()
    }

    /// Every member that has a value, for the event of a creation.
    pub fn all_fields(&self) -> Vec<String> {
        let mut fields: Vec<String> = self.content.keys().cloned().collect();
        fields.extend(self.kind.reference_member().map(str::to_owned));
        if self.parent_id.is_some() {
            fields.extend(self.kind.parent().map(|parent| parent.id_member().to_owned()));
        }
        fields.sort_unstable();
        fields
    }

    /// A member's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.content.get(name).and_then(Value::as_str)
    }
}

/// The members of a body that are kept, without nulls: an absent member and a null say the same.
fn content(kind: Kind, body: &Value) -> Map<String, Value> {
    let body = with_one_spelling(kind, body);
    let mut content = Map::new();
    for name in kind.members() {
        if let Some(value) = body.get(*name) {
            merge_member(&mut content, name, value);
        }
    }
    content
}

/// `partner_payout_states`, as one page spells it, is taken for `partner_payouts_state`.
fn with_one_spelling(kind: Kind, body: &Value) -> Value {
    let mut body = body.clone();
    let data = body.get_mut("supplementary_business_data").and_then(Value::as_object_mut);
    if let Some(data) = data.filter(|_| kind == Kind::BusinessEntity)
        && let Some(payouts) = data.remove("partner_payout_states")
    {
        data.entry("partner_payouts_state").or_insert(payouts);
    }
    body
}

/// Puts a member into an object by the rules of merge patches: objects are merged, null removes, everything else replaces.
pub(super) fn merge_member(object: &mut Map<String, Value>, name: &str, change: &Value) {
    match change {
        Value::Null => drop(object.remove(name)),
        Value::Object(changes) => {
            let entry = object.entry(name).or_insert_with(|| json!({}));
            if !entry.is_object() {
                *entry = json!({});
            }
            if let Value::Object(entry) = entry {
                for (name, change) in changes {
                    merge_member(entry, name, change);
                }
            }
        }
        other => drop(object.insert(name.to_owned(), other.clone())),
    }
}

/// The paths at which two objects differ; arrays differ as a whole.
pub(super) fn differences(before: &Map<String, Value>, after: &Map<String, Value>, at: &str, paths: &mut Vec<String>) {
    let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let empty = Map::new();
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        match (before.get(name), after.get(name)) {
            (Some(one), Some(other)) if one == other => {}
            (Some(Value::Object(one)), Some(Value::Object(other))) => differences(one, other, &path(name), paths),
            (None, Some(Value::Object(other))) if !other.is_empty() => differences(&empty, other, &path(name), paths),
            (Some(Value::Object(one)), None) if !one.is_empty() => differences(one, &empty, &path(name), paths),
            _ => paths.push(path(name)),
        }
    }
}

/// The paths at which what is given is not what is stored; members that are not given are not compared.
pub(super) fn contradicted(stored: &Value, given: &Value, at: &str, paths: &mut Vec<String>) {
    match given {
        Value::Object(members) => {
            for (name, given) in members {
                contradicted(stored.get(name).unwrap_or(&Value::Null), given, &format!("{at}.{name}"), paths);
            }
        }
        _ if given == stored => {}
        _ => paths.push(at.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(body: &Value) -> Resource {
        Resource::new(Kind::Brand, "b".to_owned(), body, None, 1)
    }

    #[test]
    fn a_change_merges_and_names_what_it_changed() {
        let first = brand(&json!({"brand_reference": "r", "display_name": "A", "colour": "red",
            "element": {"logo_url": "https://a.example/l.png", "icon_url": null}}));
        assert_eq!(
            first.content,
            *json!({"display_name": "A", "element": {"logo_url": "https://a.example/l.png"}}).as_object().unwrap()
        );
        let (next, changed) = first.patched(&json!({"element": {"icon_url": "https://a.example/i.png"}}), None, 2);
        assert_eq!(changed, ["element.icon_url"]);
        assert_eq!(
            next.content["element"],
            json!({"logo_url": "https://a.example/l.png", "icon_url": "https://a.example/i.png"})
        );
        assert_eq!((next.created_at, next.updated_at), (1, 2));
        let (same, changed) = next.patched(&json!({"display_name": "A", "brand_reference": "r"}), None, 3);
        assert_eq!((same, changed), (next.clone(), Vec::new()), "nothing changed, not even the time");
        let (renamed, changed) = next.patched(&json!({"brand_reference": "s", "element": null}), None, 4);
        assert_eq!(changed, ["brand_reference", "element.icon_url", "element.logo_url"]);
        assert_eq!((renamed.reference.as_str(), renamed.content.get("element")), ("s", None));
        assert!(renamed.faults().is_empty());
        let (nameless, _) = next.patched(&json!({"display_name": null}), None, 5);
        assert_eq!(nameless.faults().len(), 1, "a brand needs its name after a change, too");
    }

    #[test]
    fn onboarding_again_may_leave_out_but_not_contradict() {
        let first = brand(
            &json!({"brand_reference": "r", "display_name": "A", "element": {"logo_url": "https://a.example/l.png"}}),
        );
        let contradictions = |body: Value| -> Vec<String> {
            first.contradictions(&body, None, "brands[0]").into_iter().map(|fault| fault.parameter).collect()
        };
        assert!(contradictions(json!({"brand_reference": "r"})).is_empty());
        assert!(
            contradictions(json!({"brand_reference": "r", "display_name": "A", "element": {"icon_url": null}}))
                .is_empty()
        );
        assert_eq!(
            contradictions(
                json!({"brand_reference": "r", "display_name": "B", "element": {"logo_url": "https://a.example/m.png"}})
            ),
            ["brands[0].display_name", "brands[0].element.logo_url"]
        );
        let store =
            Resource::new(Kind::Store, "s".to_owned(), &json!({"store_reference": "r"}), Some("g".to_owned()), 1);
        assert!(store.contradictions(&json!({}), Some("g"), "s").is_empty());
        assert_eq!(store.contradictions(&json!({}), Some("h"), "s")[0].parameter, "s.store_group_reference");
    }

    #[test]
    fn both_spellings_of_payouts_are_one() {
        let body = json!({"supplementary_business_data": {"partner_payout_states": {"payouts_status": "ENABLED"}}});
        let entity = Resource::new(Kind::BusinessEntity, "e".to_owned(), &body, None, 1);
        assert_eq!(
            entity.content["supplementary_business_data"],
            json!({"partner_payouts_state": {"payouts_status": "ENABLED"}})
        );
    }

    #[test]
    fn a_relationship_is_named_by_what_it_links() {
        let body = json!({"type": "ORGANIZATION_MEMBER", "target_partner_account_id": "krn:t"});
        let link = Resource::new(Kind::Relationship, "l".to_owned(), &body, None, 1);
        assert_eq!(link.reference, "ORGANIZATION_MEMBER krn:t");
        let (next, changed) = link.patched(&json!({"type": "MANAGED_PLATFORM_MEMBER"}), None, 2);
        assert_eq!((next.reference.as_str(), changed), ("MANAGED_PLATFORM_MEMBER krn:t", vec!["type".to_owned()]));
    }
}
