//! Onboarding, Partner accounts and every resource below them (fact sheets 02 and 06 §1).
//!
//! Changes are JSON merge patches: the table of a change requires nothing, and the merged whole must pass the table of a creation.
//! Descriptive values that no sheet lists (`social_media_links[].provider`, `legal_registration_entity_type`, `roles`) are kept.

use serde_json::Value;

use super::{COUNT, WEB_URL, address_rows, list_rows, member, reference, text, text_of, under};
use crate::error::ValidationError;
use crate::krn::KrnKind;
use crate::onboarding::{bank_account, legal_registration, merchant_category};
use crate::shape::{Kind, Row};

/// `type` of a store.
pub const STORE_TYPES: &[&str] = &["WEBSITE", "MOBILE_APP", "PHYSICAL_STORE"];
/// `reason` of a disablement by the Acquiring Partner. The second is ours, after the reasons that the documentation tells of.
pub const DISABLE_REASONS: &[&str] = &["VOLUNTARY", "SUSPICIOUS_ACTIVITY"];
/// Known `decision_type`s; more may come.
pub const DECISION_TYPES: &[&str] =
    &["FRAUDULENT_BEHAVIOUR", "NON_COMPLIANT", "PROHIBITED_OR_RESTRICTED_SEGMENT", "OTHER_RISK"];
/// The states of a Partner account.
pub const ACCOUNT_STATES: &[&str] = &["PARTIALLY_OPERATIONAL", "OPERATIONAL", "DISABLED"];
/// The states of a payment product.
pub const PRODUCT_STATES: &[&str] = &["ENABLED", "DISABLED", "TERMINATED"];
/// `type` of a relationship between Partner accounts; the documentation may have more.
pub const RELATIONSHIP_TYPES: &[&str] = &["ORGANIZATION_MEMBER", "MANAGED_PLATFORM_MEMBER"];
/// What the rule of an access policy can name.
pub const POLICY_RESOURCE_TYPES: &[&str] = &["PAYMENT_ACCOUNT", "STORE_GROUP", "BRAND"];

crate::shapes! {
    /// Body of POST `/v2/distribution/onboard` for a Partner that is not known yet.
    onboard = onboard_rows(true), &[onboarding_links, onboarding_places];
    /// The same body for a Partner that was onboarded before: it adds what is new, so nothing but the reference is required.
    onboard_more = onboard_rows(false), &[onboarding_links, onboarding_places];
    /// Answer of POST `/v2/distribution/onboard`.
    onboarded = onboarded_rows(), &[];
    /// Body of PATCH `/v2/accounts/{partner_account_id}`.
    partner_account_update = partner_account_rows(), &[];
    /// A Partner account.
    partner_account = partner_account_view_rows(), &[];
    /// Body of POST `…/partner-business-entities`.
    business_entity_create = business_entity_rows(true), &[business_entity_is_complete];
    /// Body of PATCH `…/partner-business-entities/{partner_business_entity_id}`.
    business_entity_update = business_entity_rows(false), &[];
    /// A business entity of a Partner.
    business_entity = business_entity_view_rows(), &[];
    /// A page of business entities.
    business_entities = list_rows("partner_business_entities", business_entity_view_rows(), true), &[];
    /// Body of POST `…/brands`.
    brand_create = brand_rows(true), &[];
    /// Body of PATCH `…/brands/{brand_id}`.
    brand_update = brand_rows(false), &[];
    /// A brand.
    brand = brand_view_rows(), &[];
    /// A page of brands.
    brands = list_rows("brands", brand_view_rows(), true), &[];
    /// Body of POST `…/store-groups`.
    store_group_create = store_group_rows(true), &[stores_of_group];
    /// Body of PATCH `…/store-groups/{store_group_id}`.
    store_group_update = store_group_rows(false), &[];
    /// A store group.
    store_group = store_group_view_rows(), &[];
    /// A page of store groups.
    store_groups = list_rows("store_groups", store_group_view_rows(), true), &[];
    /// Body of POST `…/stores`.
    store_create = store_rows(true), &[store_is_complete, store_has_group];
    /// Body of PATCH `…/stores/{store_id}`.
    store_update = store_rows(false), &[];
    /// A store.
    store = store_view_rows(), &[];
    /// A page of stores.
    stores = list_rows("stores", store_view_rows(), true), &[];
    /// Body of POST `…/payment-accounts`.
    payment_account_create = payment_account_rows(), &[payment_account_links];
    /// Body of PATCH `…/payment-accounts/{payment_account_id}`.
    payment_account_update = payment_account_change_rows(), &[only_reference_and_category];
    /// A payment account.
    payment_account = payment_account_view_rows(), &[];
    /// A page of payment accounts.
    payment_accounts = list_rows("payment_accounts", payment_account_view_rows(), true), &[];
    /// A payment product.
    payment_product = payment_product_view_rows(), &[];
    /// Body of POST `…/disable`.
    product_disable = product_disable_rows(), &[];
    /// Answer of GET `/v2/account/acquiring/accounts`.
    acquiring_accounts = list_rows("payment_acquiring_accounts", acquiring_account_rows(), false), &[];
    /// A compliance decision.
    compliance_decision = decision_rows(), &[];
    /// A page of compliance decisions; the operation answers an array of one.
    compliance_decisions = list_rows("decisions", decision_rows(), true), &[];
    /// Answer of `…/resolve/partner-account-id`.
    resolved_partner_account = vec![id("partner_account_id", KrnKind::PartnerAccount)], &[];
    /// Answer of `…/resolve/payment-account-id`.
    resolved_payment_account = vec![id("payment_account_id", KrnKind::PaymentAccount)], &[];
    /// Answer of `…/resolve/access-policy-id`.
    resolved_access_policy = vec![id("access_policy_id", KrnKind::AccessPolicy)], &[];
    /// Body of POST `…/partner-account-relationships`.
    relationship_create = relationship_rows(true), &[];
    /// Body of PATCH `…/partner-account-relationships/{partner_account_relationship_id}`.
    relationship_update = relationship_rows(false), &[];
    /// A link from one Partner account to another.
    relationship = relationship_view_rows(), &[];
    /// A page of relationships.
    relationships = list_rows("partner_account_relationships", relationship_view_rows(), true), &[];
    /// Body of POST `…/access-policies`.
    access_policy_create = access_policy_rows(true), &[rule_references_are_unique];
    /// Body of PATCH `…/access-policies/{access_policy_id}`.
    access_policy_update = access_policy_rows(false), &[rule_references_are_unique];
    /// An access policy.
    access_policy = access_policy_view_rows(), &[];
    /// A page of access policies.
    access_policies = list_rows("access_policies", access_policy_view_rows(), true), &[];
    /// Body of the control that decides on a Partner's compliance.
    decide_compliance = decide_rows(), &[];
    /// Body of the control that puts a payment product into a state, as Klarna.
    put_product_state = put_product_state_rows(), &[];
    /// Body of the control that puts a Partner account into a state, as Klarna.
    put_account_state = vec![Row::new("state", Kind::OneOf(&["OPERATIONAL", "DISABLED"])).required()], &[];
    /// Body of the control that finds a brand's data incomplete.
    brand_incomplete = brand_incomplete_rows(), &[];
    /// Answer of that control.
    brand_found_incomplete = brand_found_incomplete_rows(), &[];
}

// Rows of requests.

fn onboard_rows(first: bool) -> Vec<Row> {
    let must = |row: Row| if first { row.required() } else { row };
    let mut rows = vec![reference("partner_account_reference").required(), must(name("partner_account_name"))];
    rows.push(must(Row::new("partner_account_contact", Kind::Object)));
    rows.extend(contact_rows("partner_account_contact", true));
    rows.push(must(Row::new("products", Kind::Array { min: 1, max: 1 })));
    rows.extend(under(
        "products[]",
        [
            Row::new("type", Kind::OneOf(&["PAYMENT"])).required(),
            id("payment_profile_id", KrnKind::PaymentProfile),
            must(entries("payment_accounts")),
        ],
    ));
    rows.extend(under("products[].payment_accounts[]", payment_account_rows()));
    rows.push(must(entries("partner_business_entities")));
    rows.extend(under("partner_business_entities[]", business_entity_rows(true)));
    rows.extend(under("brands[]", brand_rows(true)));
    rows.push(must(entries("store_groups")));
    rows.extend(under("store_groups[]", store_group_rows(true)));
    rows.push(must(entries("store_groups[].stores")));
    rows.extend([
        Row::new("supplementary_account_data", Kind::Object).personal(),
        Row::new("supplementary_account_data.account_creation.account_created_from_ip", Kind::Ip),
        Row::new("supplementary_account_data.account_creation.account_created_at", Kind::Moment),
        Row::new("created_at", Kind::Moment),
    ]);
    rows.extend(under("partner_account_relationships[]", relationship_rows(true)));
    rows.extend(under("access_policies[]", access_policy_rows(true)));
    rows
}

fn partner_account_rows() -> Vec<Row> {
    let mut rows = vec![reference("partner_account_reference"), name("partner_account_name")];
    rows.push(Row::new("partner_account_contact", Kind::Object));
    rows.extend(contact_rows("partner_account_contact", false));
    rows
}

fn contact_rows(at: &str, complete: bool) -> Vec<Row> {
    let email = email("email");
    under(
        at,
        [
            if complete { email.required() } else { email },
            text_of("given_name", 1, 99).personal(),
            text_of("family_name", 1, 99).personal(),
            Row::new("phone", Kind::Phone).personal(),
        ],
    )
}

fn business_entity_rows(complete: bool) -> Vec<Row> {
    let must = |row: Row| if complete { row.required() } else { row };
    let mut rows = vec![
        must(reference("partner_business_entity_reference")),
        must(text_of("legal_registered_entity_name", 1, 255)),
        must(Row::new("legal_registration_country", Kind::Country)),
        text_of("enabled_merchant_category_codes[]", 4, 4),
    ];
    rows.extend(supplementary_business_rows());
    rows
}

/// Everything that is known of a business: personal and bank data, which no reason shows.
fn supplementary_business_rows() -> Vec<Row> {
    let mut rows = vec![
        text("legal_registration.legal_registration_number"),
        text("legal_registration.legal_registration_authority"),
        Row::new("legal_registration.legal_registration_entity_type", Kind::Open),
        text("legal_registration.tax_registration_number"),
        text("legal_registration.financial_conduct_authority_number"),
        text_of("stakeholders[].given_name", 1, 99),
        text_of("stakeholders[].family_name", 1, 99),
        Row::new("stakeholders[].date_of_birth", Kind::Date),
        text_of("stakeholders[].national_identification.number", 1, 255),
        Row::new("stakeholders[].national_identification.country", Kind::Country),
        Row::new("stakeholders[].roles[]", Kind::Open),
    ];
    rows.extend(address_rows("legal_registration.legal_registration_address"));
    rows.extend(address_rows("operating_addresses[]"));
    rows.extend(address_rows("stakeholders[].address"));
    // The documentation spells it in both ways.
    for payouts in ["partner_payouts_state", "partner_payout_states"] {
        rows.extend(under(
            payouts,
            [
                Row::new("payouts_status", Kind::Open),
                Row::new("payouts_enabled_at", Kind::Moment),
                Row::new("payouts_delay_days", COUNT),
            ],
        ));
        rows.extend(bank_account_rows(&format!("{payouts}.bank_accounts[]")));
    }
    let mut rows = under("supplementary_business_data", rows);
    rows.insert(0, Row::new("supplementary_business_data", Kind::Object).personal());
    rows
}

fn bank_account_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        Row::new("bank_account_type", Kind::Open).required(),
        text_of("account_holder", 1, 255),
        matching("bic", 8, 11, bank_account::is_bic, "a BIC of 8 or 11 letters and digits"),
        matching("iban", 5, 64, bank_account::is_iban, "an IBAN"),
        text_of("account_number", 1, 64),
    ];
    for (_, hash) in bank_account::HASHABLE {
        rows.extend(under(
            hash,
            [
                text_of("value", 1, 1024).required(),
                Row::new("sanitization_method", Kind::Open),
                Row::new("hash_method", Kind::Open),
            ],
        ));
    }
    under(at, rows)
}

fn brand_rows(complete: bool) -> Vec<Row> {
    let rows = vec![reference("brand_reference"), text_of("display_name", 1, 100)];
    let mut rows: Vec<Row> = rows.into_iter().map(|row| if complete { row.required() } else { row }).collect();
    rows.extend(under(
        "element",
        [Row::new("logo_url", WEB_URL), Row::new("icon_url", WEB_URL), Row::new("feature_image_url", WEB_URL)],
    ));
    rows
}

fn store_group_rows(create: bool) -> Vec<Row> {
    let group = reference("store_group_reference");
    let mut rows = vec![
        if create { group.required() } else { group },
        id("brand_id", KrnKind::Brand).optional(),
        reference("brand_reference"),
        email("support_contact.email"),
        Row::new("support_contact.phone", Kind::Phone).personal(),
        Row::new("support_contact.contact_form", WEB_URL),
        Row::new("social_media_links[].provider", Kind::Open).required(),
        Row::new("social_media_links[].url", WEB_URL).required(),
    ];
    if create {
        rows.extend(under("stores[]", place_rows(true)));
    }
    rows
}

fn store_rows(create: bool) -> Vec<Row> {
    let mut rows = vec![id("store_group_id", KrnKind::StoreGroup).optional(), reference("store_group_reference")];
    rows.extend(place_rows(create));
    rows
}

/// A place of sale, without the store group that it belongs to.
fn place_rows(create: bool) -> Vec<Row> {
    let (kind, reference) = (Row::new("type", Kind::OneOf(STORE_TYPES)), reference("store_reference"));
    let mut rows = if create { vec![kind.required(), reference.required()] } else { vec![kind, reference] };
    rows.extend([
        Row::new("url", WEB_URL),
        Row::new("platform", Kind::Open),
        Row::new("bundle_names", Kind::Array { min: 1, max: 100 }),
        text_of("bundle_names[]", 1, 255),
    ]);
    rows.extend(address_rows("address"));
    rows
}

fn payment_account_rows() -> Vec<Row> {
    vec![
        reference("payment_account_reference").required(),
        id("payment_acquiring_account_id", KrnKind::AcquiringAccount),
        category("default_merchant_category_code").required(),
        id("partner_business_entity_id", KrnKind::BusinessEntity).optional(),
        reference("partner_business_entity_reference"),
        id("default_store_group_id", KrnKind::StoreGroup).optional(),
        reference("default_store_group_reference"),
    ]
}

fn payment_account_change_rows() -> Vec<Row> {
    vec![reference("payment_account_reference"), category("default_merchant_category_code")]
}

fn product_disable_rows() -> Vec<Row> {
    vec![Row::new("reason", Kind::OneOf(DISABLE_REASONS)), text_of("reason_details", 0, 1000)]
}

fn relationship_rows(create: bool) -> Vec<Row> {
    let rows = [
        Row::new("type", Kind::OneOf(RELATIONSHIP_TYPES)),
        id("target_partner_account_id", KrnKind::PartnerAccount).optional(),
    ];
    rows.into_iter().map(|row| if create { row.required() } else { row }).collect()
}

fn access_policy_rows(create: bool) -> Vec<Row> {
    let must = |row: Row| if create { row.required() } else { row };
    vec![
        must(reference("access_policy_reference")),
        must(Row::new("type", Kind::Open)),
        must(entries("rules")),
        reference("rules[].access_policy_rule_reference").required(),
        Row::new("rules[].resource_type", Kind::OneOf(POLICY_RESOURCE_TYPES)).required(),
        reference("rules[].resource_id").required(),
    ]
}

fn decide_rows() -> Vec<Row> {
    vec![
        Row::new("decision_type", Kind::Open).required(),
        Row::new("product_state", Kind::OneOf(&["DISABLED", "TERMINATED"])),
    ]
}

fn put_product_state_rows() -> Vec<Row> {
    vec![Row::new("state", Kind::OneOf(PRODUCT_STATES)).required(), Row::new("reason", Kind::Open)]
}

fn brand_incomplete_rows() -> Vec<Row> {
    vec![
        Row::new("incomplete_fields", Kind::Array { min: 1, max: 20 }).required(),
        text_of("incomplete_fields[].field", 1, 255).required(),
        Row::new("incomplete_fields[].reason", Kind::Open).required(),
    ]
}

// Rows of answers.

fn times() -> [Row; 2] {
    [Row::new("created_at", Kind::Timestamp).required(), Row::new("updated_at", Kind::Timestamp).required()]
}

fn onboarded_rows() -> Vec<Row> {
    let mut rows = vec![
        id("partner_account_id", KrnKind::PartnerAccount),
        reference("partner_account_reference").required(),
        name("partner_account_name").required(),
        Row::new("state", Kind::OneOf(ACCOUNT_STATES)).required(),
        Row::new("created_at", Kind::Timestamp).required(),
    ];
    for key in ["products", "partner_business_entities", "brands", "store_groups"] {
        rows.push(Row::new(key, Kind::Array { min: 0, max: 1000 }).required());
    }
    rows.extend(under("products[]", payment_product_view_rows()));
    rows.extend(under(
        "partner_business_entities[]",
        [
            id("partner_business_entity_id", KrnKind::BusinessEntity),
            reference("partner_business_entity_reference").required(),
        ],
    ));
    rows.extend(under("brands[]", [id("brand_id", KrnKind::Brand), reference("brand_reference").required()]));
    rows.extend(under(
        "store_groups[]",
        [
            id("store_group_id", KrnKind::StoreGroup),
            reference("store_group_reference").required(),
            Row::new("stores", Kind::Array { min: 0, max: 1000 }).required(),
            id("stores[].store_id", KrnKind::Store),
            reference("stores[].store_reference").required(),
        ],
    ));
    rows
}

fn partner_account_view_rows() -> Vec<Row> {
    let mut rows = requiring(partner_account_rows(), &["partner_account_reference", "partner_account_name"]);
    rows.extend([
        id("partner_account_id", KrnKind::PartnerAccount),
        Row::new("state", Kind::OneOf(ACCOUNT_STATES)).required(),
        Row::new("state_reason", Kind::Open),
        Row::new("supplementary_account_data", Kind::Object),
    ]);
    rows.extend(times());
    rows.extend(under("products[]", payment_product_view_rows()));
    rows.extend(under("partner_business_entities[]", business_entity_view_rows()));
    rows.extend(under("brands[]", brand_view_rows()));
    rows.extend(under("store_groups[]", store_group_view_rows()));
    rows.extend(under("stores[]", store_view_rows()));
    rows
}

fn business_entity_view_rows() -> Vec<Row> {
    let mut rows = business_entity_rows(true);
    rows.push(id("partner_business_entity_id", KrnKind::BusinessEntity));
    rows.extend(times());
    rows
}

fn brand_view_rows() -> Vec<Row> {
    let mut rows = brand_rows(true);
    rows.push(id("brand_id", KrnKind::Brand));
    rows.extend(times());
    rows
}

fn store_group_view_rows() -> Vec<Row> {
    let mut rows = requiring(store_group_rows(false), &["store_group_reference"]);
    rows.push(id("store_group_id", KrnKind::StoreGroup));
    rows.extend(times());
    rows.extend(under("stores[]", store_view_rows()));
    rows
}

fn store_view_rows() -> Vec<Row> {
    let mut rows = place_rows(true);
    rows.extend([id("store_id", KrnKind::Store), id("store_group_id", KrnKind::StoreGroup)]);
    rows.extend(times());
    rows
}

fn payment_account_view_rows() -> Vec<Row> {
    let mut rows = vec![
        id("payment_account_id", KrnKind::PaymentAccount),
        reference("payment_account_reference").required(),
        id("payment_acquiring_account_id", KrnKind::AcquiringAccount),
        id("partner_business_entity_id", KrnKind::BusinessEntity).optional(),
        id("default_store_group_id", KrnKind::StoreGroup).optional(),
        text_of("default_merchant_category_code", 4, 4).required(),
        Row::new("state", Kind::OneOf(&["ENABLED", "DISABLED"])).required(),
    ];
    rows.extend(times());
    rows
}

fn payment_product_view_rows() -> Vec<Row> {
    let mut rows = vec![
        id("product_id", KrnKind::PaymentProduct),
        Row::new("type", Kind::OneOf(&["PAYMENT"])).required(),
        Row::new("state", Kind::OneOf(PRODUCT_STATES)).required(),
        Row::new("state_reason", Kind::Open),
        text_of("reason_details", 0, 1000),
        id("compliance_decision_id", KrnKind::ComplianceDecision).optional(),
        id("payment_profile_id", KrnKind::PaymentProfile),
        Row::new("payment_accounts", Kind::Array { min: 0, max: 1000 }).required(),
    ];
    rows.extend(under("payment_accounts[]", payment_account_view_rows()));
    rows.extend(times());
    rows
}

fn acquiring_account_rows() -> Vec<Row> {
    vec![
        id("payment_acquiring_account_id", KrnKind::AcquiringAccount),
        reference("payment_acquiring_account_reference").required(),
    ]
}

fn decision_rows() -> Vec<Row> {
    vec![
        id("decision_id", KrnKind::ComplianceDecision),
        Row::new("decision_type", Kind::Open).required(),
        id("account_id", KrnKind::PartnerAccount),
        id("product_instance_id", KrnKind::PaymentProduct).optional(),
        Row::new("created_at", Kind::Timestamp).required(),
    ]
}

fn relationship_view_rows() -> Vec<Row> {
    let mut rows = relationship_rows(true);
    rows.extend([
        id("partner_account_relationship_id", KrnKind::PartnerAccountRelationship),
        id("source_partner_account_id", KrnKind::PartnerAccount),
    ]);
    rows.extend(times());
    rows
}

fn access_policy_view_rows() -> Vec<Row> {
    let mut rows = access_policy_rows(true);
    rows.extend([id("access_policy_id", KrnKind::AccessPolicy), Row::new("state", Kind::Open).required()]);
    rows.extend(times());
    rows
}

fn brand_found_incomplete_rows() -> Vec<Row> {
    let mut rows = brand_incomplete_rows();
    rows.push(id("brand_id", KrnKind::Brand));
    rows
}

// Fields.

fn id(path: &str, kind: KrnKind) -> Row {
    Row::new(path, Kind::Id(kind)).required()
}

/// These rows, of which those at the paths are required.
fn requiring(rows: Vec<Row>, paths: &[&str]) -> Vec<Row> {
    rows.into_iter().map(|row| if paths.contains(&row.path.as_str()) { row.required() } else { row }).collect()
}

fn entries(path: &str) -> Row {
    Row::new(path, Kind::Array { min: 1, max: 1000 })
}

fn name(path: &str) -> Row {
    text_of(path, 1, 255)
}

fn matching(path: &str, min: usize, max: usize, accepts: fn(&str) -> bool, wanted: &'static str) -> Row {
    Row::new(path, Kind::Matching { min, max, accepts, wanted })
}

fn category(path: &str) -> Row {
    let accepts = |code: &str| merchant_category::fault(code).is_none();
    matching(path, 4, 4, accepts, "a supported merchant category code of four digits, like 5941")
}

fn email(path: &str) -> Row {
    matching(path, 3, 320, is_email, "an e-mail address").personal()
}

/// `^(?=.{1,64}@.{1,255}$)…`: atoms between single dots, or a quoted local part; neither `<` nor `>` (fact sheet 02 §2.1).
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let within = |part: &str, max: usize| (1..=max).contains(&part.chars().count());
    let is_plain = |part: &str| !part.contains(|c: char| c.is_whitespace() || c.is_control() || "<>@\"".contains(c));
    let has_single_dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    within(local, 64)
        && within(domain, 255)
        && is_plain(domain)
        && has_single_dots(domain)
        && (is_quoted || (is_plain(local) && has_single_dots(local)))
}

// Rules.

fn fault(faults: &mut Vec<ValidationError>, at: &str, name: &str, reason: impl Into<String>) {
    let parameter = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    faults.push(ValidationError::new(parameter, reason));
}

fn items<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Something is named by id or by reference, not by both (RULINGS 1.3).
fn one_of(entry: &Value, at: &str, by_id: &str, by_reference: &str, needed: bool, faults: &mut Vec<ValidationError>) {
    match (member(entry, &[by_id]).is_some(), member(entry, &[by_reference]).is_some()) {
        (true, true) => fault(faults, at, by_reference, format!("must be absent when {by_id} is sent")),
        (false, false) if needed => fault(faults, at, by_reference, format!("is required, or {by_id}")),
        _ => {}
    }
}

fn links_of_payment_account(account: &Value, at: &str, faults: &mut Vec<ValidationError>) {
    one_of(account, at, "partner_business_entity_id", "partner_business_entity_reference", true, faults);
    one_of(account, at, "default_store_group_id", "default_store_group_reference", true, faults);
}

fn payment_account_links(body: &Value, faults: &mut Vec<ValidationError>) {
    links_of_payment_account(body, "", faults);
}

/// What else a payment account has never changes: a new one is made instead (fact sheet 02 §3.6).
fn only_reference_and_category(body: &Value, faults: &mut Vec<ValidationError>) {
    for name in body.as_object().into_iter().flat_map(serde_json::Map::keys) {
        let row = [
            "payment_acquiring_account_id",
            "partner_business_entity_id",
            "partner_business_entity_reference",
            "default_store_group_id",
            "default_store_group_reference",
            "state",
        ];
        if row.contains(&name.as_str()) {
            fault(faults, "", name, "never changes; make another payment account");
        }
    }
}

fn onboarding_links(body: &Value, faults: &mut Vec<ValidationError>) {
    for (index, product) in items(body, "products").iter().enumerate() {
        for (number, account) in items(product, "payment_accounts").iter().enumerate() {
            let at = format!("products[{index}].payment_accounts[{number}]");
            links_of_payment_account(account, &at, faults);
        }
    }
    for (index, group) in items(body, "store_groups").iter().enumerate() {
        one_of(group, &format!("store_groups[{index}]"), "brand_id", "brand_reference", false, faults);
    }
}

fn onboarding_places(body: &Value, faults: &mut Vec<ValidationError>) {
    for (index, entity) in items(body, "partner_business_entities").iter().enumerate() {
        business_entity_faults(entity, &format!("partner_business_entities[{index}]"), faults);
    }
    for (index, group) in items(body, "store_groups").iter().enumerate() {
        for (number, store) in items(group, "stores").iter().enumerate() {
            place_faults(store, &format!("store_groups[{index}].stores[{number}]"), faults);
        }
    }
}

fn stores_of_group(body: &Value, faults: &mut Vec<ValidationError>) {
    one_of(body, "", "brand_id", "brand_reference", false, faults);
    for (index, store) in items(body, "stores").iter().enumerate() {
        place_faults(store, &format!("stores[{index}]"), faults);
    }
}

fn store_is_complete(body: &Value, faults: &mut Vec<ValidationError>) {
    place_faults(body, "", faults);
}

fn store_has_group(body: &Value, faults: &mut Vec<ValidationError>) {
    one_of(body, "", "store_group_id", "store_group_reference", true, faults);
}

/// What each type of store needs beside its reference (fact sheet 02 §1.1).
fn place_faults(store: &Value, at: &str, faults: &mut Vec<ValidationError>) {
    let Some(kind) = member(store, &["type"]).and_then(Value::as_str) else { return };
    let needed: &[&[&str]] = match kind {
        "WEBSITE" => &[&["url"]],
        "MOBILE_APP" => &[&["platform"], &["bundle_names"]],
        "PHYSICAL_STORE" => match member(store, &["address"]) {
            None => &[&["address"]],
            Some(_) => &[&["address", "street_address"], &["address", "city"], &["address", "country"]],
        },
        _ => &[],
    };
    for path in needed {
        if member(store, path).is_none() {
            fault(faults, at, &path.join("."), format!("is required with the type {kind}"));
        }
    }
}

fn business_entity_is_complete(body: &Value, faults: &mut Vec<ValidationError>) {
    business_entity_faults(body, "", faults);
}

/// What a country and a legal form ask of a business (fact sheet 02 §6.2, §6.3). Sole traders are known by who they are, not by a
/// register.
fn business_entity_faults(entity: &Value, at: &str, faults: &mut Vec<ValidationError>) {
    const DATA: &str = "supplementary_business_data";
    let Some(data) = member(entity, &[DATA]) else { return };
    let country = member(entity, &["legal_registration_country"]).and_then(Value::as_str).unwrap_or_default();
    if let Some(registration) = member(data, &["legal_registration"]) {
        let text = |name: &str| member(registration, &[name]).and_then(Value::as_str);
        let is_sole_trader = text("legal_registration_entity_type") == Some("SOLE_TRADER");
        let number = format!("{DATA}.legal_registration.legal_registration_number");
        match text("legal_registration_number") {
            Some(given) => {
                if let Some(wanted) = legal_registration::fault(country, given) {
                    fault(faults, at, &number, format!("must be {wanted}, in {country}"));
                }
                if legal_registration::needs_authority(country)
                    && text("legal_registration_authority").is_none_or(str::is_empty)
                {
                    let authority = format!("{DATA}.legal_registration.legal_registration_authority");
                    fault(
                        faults,
                        at,
                        &authority,
                        format!("is required in {country}: the court that keeps the register"),
                    );
                }
            }
            None if is_sole_trader => {
                if items(data, "stakeholders").is_empty() {
                    let reason = "is required of a sole trader, who has no registration";
                    fault(faults, at, &format!("{DATA}.stakeholders"), reason);
                }
            }
            None => fault(faults, at, &number, "is required"),
        }
    }
    for payouts in ["partner_payouts_state", "partner_payout_states"] {
        let Some(state) = member(data, &[payouts]) else { continue };
        for (index, account) in items(state, "bank_accounts").iter().enumerate() {
            let given = |name: &str| member(account, &[name]).is_some();
            if ["iban", "iban_hash", "account_number", "account_number_hash"].iter().all(|name| !given(name)) {
                let at_account = format!("{DATA}.{payouts}.bank_accounts[{index}].iban");
                fault(faults, at, &at_account, "is required, or account_number, or the hash of either");
            }
        }
    }
}

fn rule_references_are_unique(body: &Value, faults: &mut Vec<ValidationError>) {
    let rules = items(body, "rules");
    for (index, rule) in rules.iter().enumerate() {
        let reference = member(rule, &["access_policy_rule_reference"]);
        let repeats = |other: &Value| member(other, &["access_policy_rule_reference"]) == reference;
        if reference.is_some() && rules[..index].iter().any(repeats) {
            fault(faults, &format!("rules[{index}]"), "access_policy_rule_reference", "must not repeat another rule's");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(shape: &crate::Shape, body: &Value) -> Vec<String> {
        shape.check(body).into_iter().filter_map(|fault| fault.parameter).collect()
    }

    #[test]
    fn the_tables_compile() {
        let tables: [fn() -> &'static crate::Shape; 22] = [
            onboard,
            onboard_more,
            onboarded,
            partner_account_update,
            partner_account,
            business_entity_update,
            business_entities,
            brand_update,
            brands,
            store_group_create,
            store_group_update,
            store_groups,
            store_update,
            stores,
            payment_account_create,
            payment_account_update,
            payment_accounts,
            payment_product,
            compliance_decisions,
            relationships,
            access_policies,
            brand_found_incomplete,
        ];
        for table in tables {
            drop(table().check(&json!({})));
        }
        assert_eq!(
            faults(onboard(), &json!({"partner_account_reference": "p"})),
            [
                "partner_account_name",
                "partner_account_contact",
                "products",
                "partner_business_entities",
                "store_groups"
            ]
        );
        assert!(faults(onboard_more(), &json!({"partner_account_reference": "p"})).is_empty());
    }

    #[test]
    fn each_type_of_store_has_its_own_required_fields() {
        let store = |more: Value| {
            let mut body = json!({"store_reference": "s", "store_group_reference": "g"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            faults(store_create(), &body)
        };
        assert!(store(json!({"type": "WEBSITE", "url": "https://a.example"})).is_empty());
        assert_eq!(store(json!({"type": "WEBSITE"})), ["url"]);
        assert_eq!(store(json!({"type": "MOBILE_APP"})), ["platform", "bundle_names"]);
        assert_eq!(store(json!({"type": "MOBILE_APP", "platform": "IOS", "bundle_names": []})), ["bundle_names"]);
        assert_eq!(store(json!({"type": "PHYSICAL_STORE"})), ["address"]);
        assert_eq!(
            store(json!({"type": "PHYSICAL_STORE", "address": {"city": "Kiel"}})),
            ["address.street_address", "address.country"]
        );
        assert_eq!(store(json!({"type": "TENT"})), ["type"]);
        assert_eq!(
            store(json!({"type": "WEBSITE", "url": "https://a.example", "store_group_id": "x"})),
            ["store_group_reference"]
        );
    }

    #[test]
    fn a_business_is_asked_what_its_country_and_form_ask() {
        const NUMBER: &str = "supplementary_business_data.legal_registration.legal_registration_number";
        let entity = |country: &str, registration: Value| {
            let body = json!({"partner_business_entity_reference": "e", "legal_registered_entity_name": "E",
                "legal_registration_country": country,
                "supplementary_business_data": {"legal_registration": registration}});
            faults(business_entity_create(), &body)
        };
        let authority = json!({"legal_registration_number": "HRB 123456", "legal_registration_authority": "Kiel"});
        assert!(entity("DE", authority).is_empty());
        assert_eq!(
            entity("DE", json!({"legal_registration_number": "HRB 123456"})),
            ["supplementary_business_data.legal_registration.legal_registration_authority"]
        );
        assert_eq!(entity("SE", json!({"legal_registration_number": "HRB 123456"})), [NUMBER]);
        assert_eq!(entity("SE", json!({})), [NUMBER]);
        assert_eq!(
            entity("SE", json!({"legal_registration_entity_type": "SOLE_TRADER"})),
            ["supplementary_business_data.stakeholders"]
        );
    }

    #[test]
    fn reasons_show_nothing_of_a_business_or_a_person() {
        let body = json!({"partner_business_entity_reference": "e", "legal_registered_entity_name": "E",
            "legal_registration_country": "SE", "supplementary_business_data": {
                "legal_registration": {"legal_registration_number": "SECRET-NUMBER"},
                "stakeholders": [{"given_name": 7, "date_of_birth": "SECRET-DATE"}],
                "partner_payouts_state": {"bank_accounts": [{"bank_account_type": "IBAN", "iban": "SECRET-IBAN"}]}}});
        let found = business_entity_create().check(&body);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(!format!("{found:?}").contains("SECRET"), "{found:?}");
    }

    #[test]
    fn e_mail_addresses_follow_the_documented_rule() {
        for good in
            ["a@b.example", "a.b+c@d.example", "\"a b\"@c.example", "ü@ö.example", "!#$%&'*+/=?^_{|}~`-@b.example"]
        {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@b.example", "a".repeat(65));
        for bad in ["", "a", "@b", "a@", "a@@b", "a..b@c", ".a@b", "a@b.", "a<b@c", "a b@c", &long] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
