//! What a Partner consists of, in our names, and what Klarna calls each field: one table per kind of part.
//!
//! The tables drive everything: what may be sent to us, what is sent to Klarna, how a fault that Klarna found is told in our names,
//! what readiness asks for, and how the two sides are compared. `docs/onboarding-fields.md` is made of them.

/// A kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The Partner itself: name, contact, how it signed up.
    Account,
    /// A legal entity.
    BusinessEntity,
    /// What customers know it by.
    Brand,
    /// Stores of one brand.
    StoreGroup,
    /// A place of sale.
    Store,
    /// What a payment is made on: entity, acquiring account, category.
    PaymentAccount,
}

/// A field of a part.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Where it stands in the part: `registration.number`, `stakeholders[].roles[]`.
    pub ours: &'static str,
    /// Where Klarna has it, within the entry of that part.
    pub theirs: &'static str,
    /// What sending it is good for, where it need not be sent.
    pub benefit: Option<&'static str>,
}

const fn field(ours: &'static str, theirs: &'static str) -> Field {
    Field { ours, theirs, benefit: None }
}

const fn better(ours: &'static str, theirs: &'static str, benefit: &'static str) -> Field {
    Field { ours, theirs, benefit: Some(benefit) }
}

const REACHED: &str = "Klarna can reach somebody who can answer questions";
const SIGN_UP: &str = "how a Partner signed up tells impostors from Partners";
const IDENTIFIED: &str = "the business is identified without questions";
const PERSON: &str = "owners and signatories are identified; rejections become fewer";
const PAID: &str = "payout data tell account takeovers";
const SHOWN: &str = "customers recognise the brand in the purchase flow and in Klarna's app";
const HELPED: &str = "customers ask the Partner instead of opening a dispute";

const ACCOUNT: &[Field] = &[
    field("reference", "partner_account_reference"),
    field("name", "partner_account_name"),
    better("contact.given_name", "partner_account_contact.given_name", REACHED),
    better("contact.family_name", "partner_account_contact.family_name", REACHED),
    field("contact.email", "partner_account_contact.email"),
    better("contact.phone", "partner_account_contact.phone", REACHED),
    better("sign_up.ip_address", "supplementary_account_data.account_creation.account_created_from_ip", SIGN_UP),
    better("sign_up.signed_up_at", "supplementary_account_data.account_creation.account_created_at", SIGN_UP),
    field("payment_profile_id", "products[].payment_profile_id"),
];

const BUSINESS_ENTITY: &[Field] = &[
    field("reference", "partner_business_entity_reference"),
    field("legal_name", "legal_registered_entity_name"),
    field("country", "legal_registration_country"),
    field("merchant_category_codes[]", "enabled_merchant_category_codes[]"),
    field("registration.number", "supplementary_business_data.legal_registration.legal_registration_number"),
    better(
        "registration.authority",
        "supplementary_business_data.legal_registration.legal_registration_authority",
        IDENTIFIED,
    ),
    better(
        "registration.entity_type",
        "supplementary_business_data.legal_registration.legal_registration_entity_type",
        IDENTIFIED,
    ),
    better(
        "registration.tax_number",
        "supplementary_business_data.legal_registration.tax_registration_number",
        IDENTIFIED,
    ),
    better(
        "registration.financial_conduct_authority_number",
        "supplementary_business_data.legal_registration.financial_conduct_authority_number",
        "needed before financing can be offered to customers in the United Kingdom",
    ),
    better(
        "registration.address.street_address",
        "supplementary_business_data.legal_registration.legal_registration_address.street_address",
        IDENTIFIED,
    ),
    field(
        "registration.address.street_address2",
        "supplementary_business_data.legal_registration.legal_registration_address.street_address2",
    ),
    better(
        "registration.address.postal_code",
        "supplementary_business_data.legal_registration.legal_registration_address.postal_code",
        IDENTIFIED,
    ),
    better(
        "registration.address.city",
        "supplementary_business_data.legal_registration.legal_registration_address.city",
        IDENTIFIED,
    ),
    field(
        "registration.address.region",
        "supplementary_business_data.legal_registration.legal_registration_address.region",
    ),
    better(
        "registration.address.country",
        "supplementary_business_data.legal_registration.legal_registration_address.country",
        IDENTIFIED,
    ),
    better(
        "operating_addresses[].street_address",
        "supplementary_business_data.operating_addresses[].street_address",
        IDENTIFIED,
    ),
    field("operating_addresses[].street_address2", "supplementary_business_data.operating_addresses[].street_address2"),
    field("operating_addresses[].postal_code", "supplementary_business_data.operating_addresses[].postal_code"),
    better("operating_addresses[].city", "supplementary_business_data.operating_addresses[].city", IDENTIFIED),
    field("operating_addresses[].region", "supplementary_business_data.operating_addresses[].region"),
    better("operating_addresses[].country", "supplementary_business_data.operating_addresses[].country", IDENTIFIED),
    better("stakeholders[].given_name", "supplementary_business_data.stakeholders[].given_name", PERSON),
    better("stakeholders[].family_name", "supplementary_business_data.stakeholders[].family_name", PERSON),
    better(
        "stakeholders[].address.street_address",
        "supplementary_business_data.stakeholders[].address.street_address",
        PERSON,
    ),
    field(
        "stakeholders[].address.street_address2",
        "supplementary_business_data.stakeholders[].address.street_address2",
    ),
    field("stakeholders[].address.postal_code", "supplementary_business_data.stakeholders[].address.postal_code"),
    better("stakeholders[].address.city", "supplementary_business_data.stakeholders[].address.city", PERSON),
    field("stakeholders[].address.region", "supplementary_business_data.stakeholders[].address.region"),
    better("stakeholders[].address.country", "supplementary_business_data.stakeholders[].address.country", PERSON),
    better("stakeholders[].date_of_birth", "supplementary_business_data.stakeholders[].date_of_birth", PERSON),
    better(
        "stakeholders[].national_identification.number",
        "supplementary_business_data.stakeholders[].national_identification.number",
        PERSON,
    ),
    better(
        "stakeholders[].national_identification.country",
        "supplementary_business_data.stakeholders[].national_identification.country",
        PERSON,
    ),
    better("stakeholders[].roles[]", "supplementary_business_data.stakeholders[].roles[]", PERSON),
    better("payouts.status", "supplementary_business_data.partner_payouts_state.payouts_status", PAID),
    better("payouts.enabled_at", "supplementary_business_data.partner_payouts_state.payouts_enabled_at", PAID),
    better("payouts.delay_days", "supplementary_business_data.partner_payouts_state.payouts_delay_days", PAID),
    better(
        "payouts.bank_accounts[].type",
        "supplementary_business_data.partner_payouts_state.bank_accounts[].bank_account_type",
        PAID,
    ),
    better(
        "payouts.bank_accounts[].holder",
        "supplementary_business_data.partner_payouts_state.bank_accounts[].account_holder",
        PAID,
    ),
    field("payouts.bank_accounts[].bic", "supplementary_business_data.partner_payouts_state.bank_accounts[].bic"),
    field("payouts.bank_accounts[].iban", "supplementary_business_data.partner_payouts_state.bank_accounts[].iban"),
    field(
        "payouts.bank_accounts[].account_number",
        "supplementary_business_data.partner_payouts_state.bank_accounts[].account_number",
    ),
];

const BRAND: &[Field] = &[
    field("reference", "brand_reference"),
    field("display_name", "display_name"),
    better("logo_url", "element.logo_url", SHOWN),
    better("icon_url", "element.icon_url", SHOWN),
    better("feature_image_url", "element.feature_image_url", SHOWN),
];

const STORE_GROUP: &[Field] = &[
    field("reference", "store_group_reference"),
    better("brand", "brand_reference", SHOWN),
    better("support_contact.email", "support_contact.email", HELPED),
    better("support_contact.phone", "support_contact.phone", HELPED),
    better("support_contact.contact_form", "support_contact.contact_form", HELPED),
    field("social_media_links[].provider", "social_media_links[].provider"),
    field("social_media_links[].url", "social_media_links[].url"),
];

const STORE: &[Field] = &[
    field("reference", "store_reference"),
    field("store_group", "store_group_reference"),
    field("type", "type"),
    field("url", "url"),
    field("platform", "platform"),
    field("bundle_names[]", "bundle_names[]"),
    field("address.street_address", "address.street_address"),
    field("address.street_address2", "address.street_address2"),
    field("address.postal_code", "address.postal_code"),
    field("address.city", "address.city"),
    field("address.region", "address.region"),
    field("address.country", "address.country"),
];

const PAYMENT_ACCOUNT: &[Field] = &[
    field("reference", "payment_account_reference"),
    field("acquiring_account_id", "payment_acquiring_account_id"),
    field("business_entity", "partner_business_entity_reference"),
    field("store_group", "default_store_group_reference"),
    field("merchant_category_code", "default_merchant_category_code"),
];

impl Kind {
    /// All of them, in the order in which one can refer to another.
    pub const ALL: [Self; 6] =
        [Self::Account, Self::BusinessEntity, Self::Brand, Self::StoreGroup, Self::Store, Self::PaymentAccount];
    /// Those that a Partner has several of.
    pub const LISTED: [Self; 5] =
        [Self::BusinessEntity, Self::Brand, Self::StoreGroup, Self::Store, Self::PaymentAccount];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::BusinessEntity => "business_entity",
            Self::Brand => "brand",
            Self::StoreGroup => "store_group",
            Self::Store => "store",
            Self::PaymentAccount => "payment_account",
        }
    }

    /// What was stored.
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The list that holds them in a Partner; empty for the account.
    pub fn list(self) -> &'static str {
        match self {
            Self::Account => "",
            Self::BusinessEntity => "business_entities",
            Self::Brand => "brands",
            Self::StoreGroup => "store_groups",
            Self::Store => "stores",
            Self::PaymentAccount => "payment_accounts",
        }
    }

    /// The segment of an address below a Partner: `business-entities`.
    pub fn by_segment(segment: &str) -> Option<Self> {
        Self::LISTED.into_iter().find(|kind| kind.list().replace('_', "-") == segment)
    }

    /// Its fields.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Account => ACCOUNT,
            Self::BusinessEntity => BUSINESS_ENTITY,
            Self::Brand => BRAND,
            Self::StoreGroup => STORE_GROUP,
            Self::Store => STORE,
            Self::PaymentAccount => PAYMENT_ACCOUNT,
        }
    }

    /// Members that name another part by its reference.
    pub fn links(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Account | Self::BusinessEntity | Self::Brand => &[],
            Self::StoreGroup => &[("brand", Self::Brand)],
            Self::Store => &[("store_group", Self::StoreGroup)],
            Self::PaymentAccount => &[("business_entity", Self::BusinessEntity), ("store_group", Self::StoreGroup)],
        }
    }

    /// What Klarna calls the id and the reference of one.
    pub fn their_names(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("partner_account_id", "partner_account_reference"),
            Self::BusinessEntity => ("partner_business_entity_id", "partner_business_entity_reference"),
            Self::Brand => ("brand_id", "brand_reference"),
            Self::StoreGroup => ("store_group_id", "store_group_reference"),
            Self::Store => ("store_id", "store_reference"),
            Self::PaymentAccount => ("payment_account_id", "payment_account_reference"),
        }
    }

    /// Where Klarna lists them, as a member of the account and as a segment of addresses.
    pub fn their_list(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("", ""),
            Self::BusinessEntity => ("partner_business_entities", "partner-business-entities"),
            Self::Brand => ("brands", "brands"),
            Self::StoreGroup => ("store_groups", "store-groups"),
            Self::Store => ("stores", "stores"),
            Self::PaymentAccount => ("payment_accounts", "payment-accounts"),
        }
    }
}

/// What an onboarding call can say and we do not, and why: beginnings of Klarna's names.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("products[].type", "always `PAYMENT`; the gateway says so"),
    ("products[].payment_accounts[].partner_business_entity_id", "parts name each other by your references"),
    ("products[].payment_accounts[].default_store_group_id", "parts name each other by your references"),
    ("store_groups[].brand_id", "parts name each other by your references"),
    (
        "partner_business_entities[].supplementary_business_data.partner_payout_states",
        "another spelling of `partner_payouts_state`",
    ),
    (
        "partner_business_entities[].supplementary_business_data.partner_payouts_state.bank_accounts[].iban_hash",
        "made from `payouts.bank_accounts[].iban` where hashing is configured",
    ),
    (
        "partner_business_entities[].supplementary_business_data.partner_payouts_state.bank_accounts[].account_number_hash",
        "made from `payouts.bank_accounts[].account_number` where hashing is configured",
    ),
    ("created_at", "seen in one old example; `sign_up.signed_up_at` says it"),
    ("partner_account_relationships", "groups and platforms are not in the model yet"),
    ("access_policies", "the network does not enforce them yet"),
];

impl Kind {
    /// Where its fields stand in an onboarding call.
    pub fn their_place(self) -> &'static str {
        match self {
            Self::Account => "",
            Self::BusinessEntity => "partner_business_entities[].",
            Self::Brand => "brands[].",
            Self::StoreGroup => "store_groups[].",
            Self::Store => "store_groups[].stores[].",
            Self::PaymentAccount => "products[].payment_accounts[].",
        }
    }
}
