//! What a customer's approval of a Payment Request yields: the grant, the customer token, what is told about the customer.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::payments::{
    Address, ChosenShipping, CustomerProfile, KlarnaCustomer, ProfileScope, Recipient, TokenScope,
};
use protocol::{Currency, CustomerToken, Market, markets};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::requests::StoredRequest;
use super::test_customer;
use super::verdict::Persona;
use crate::ctx::Ctx;
use crate::customers::{self, contact::Contact};
use crate::tokens::{self, Grant, GrantKind, NewCustomerToken, StoredCustomer};

/// Who the customer said to be in the journey.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// As typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// As typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl From<Contact> for Identity {
    fn from(contact: Contact) -> Self {
        match contact {
            Contact::Email(email) => Self { email: Some(email), phone: None },
            Contact::Phone(phone) => Self { email: None, phone: Some(phone) },
        }
    }
}

/// What a completed request yields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Approval {
    pub(super) grant_id: Uuid,
    pub(super) granted_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) customer_token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<CustomerProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shipping: Option<ChosenShipping>,
}

/// A customer token for showing: its text and what is known of it.
pub(super) type ShownCustomer = (StoredCustomer, CustomerToken);

impl StoredRequest {
    /// The grant that its completion yielded.
    pub(super) fn grant(&self) -> Option<Grant> {
        let approval = self.approval.as_ref()?;
        let kind = if self.request.amount.is_some() { GrantKind::Payment } else { GrantKind::Token };
        Some(Grant {
            id: approval.grant_id,
            account: self.account.clone(),
            kind,
            region: self.region(),
            request: Some(self.request.id.clone()),
            customer_token_id: approval.customer_token_id.clone(),
            currency: Some(self.request.currency),
            amount: self.request.amount,
            persona: self.persona().map(Persona::settled),
            issued_at: approval.granted_at,
        })
    }

    pub(super) async fn customer(&self, tx: &mut Tx, ctx: &Ctx) -> Result<Option<ShownCustomer>, ApiError> {
        let Some(id) = self.approval.as_ref().and_then(|approval| approval.customer_token_id.as_deref()) else {
            return Ok(None);
        };
        tokens::customer_token(tx, ctx, &self.account, id).await
    }

    /// What the customer's approval yields: the grant, and the customer token if it was asked for.
    pub(super) async fn approve(&mut self, tx: &mut Tx, ctx: &Ctx, at: i64) -> Result<(), ApiError> {
        let mut customer_token_id = None;
        if let Some(wanted) = &self.body.request_customer_token {
            let person = match self.identity.as_ref().and_then(Contact::of) {
                Some(contact) => Some(customers::open(tx, ctx, self.market(), &contact).await?),
                None => None,
            };
            let new = NewCustomerToken {
                account: &self.account,
                region: self.region(),
                reference: wanted.customer_token_reference.as_deref(),
                scopes: wanted.scopes.as_deref().unwrap_or(&[TokenScope::CustomerPresent]),
                persona: self.persona(),
                customer_id: person.as_ref().map(|person| &*person.id),
            };
            customer_token_id = Some(tokens::issue_customer_token(tx, ctx, &new, at).await?.0);
        }
        self.approval = Some(Approval {
            grant_id: ctx.random.id(at),
            granted_at: at,
            customer_token_id,
            profile: self.profile(),
            shipping: self.shipping(),
        });
        let grant = self.grant().expect("the approval was put there just now");
        tokens::grant(tx, &grant).await
    }

    /// What `collect_customer_profile` asked for: as the Partner knows the customer, else as the test customer of the market.
    fn profile(&self) -> Option<CustomerProfile> {
        let scopes = self.body.collect_customer_profile.as_deref().filter(|scopes| !scopes.is_empty())?;
        let known = self.body.supplementary_purchase_data.as_ref().and_then(|data| data.customer.clone());
        let known = known.unwrap_or_default();
        let identity = self.identity.clone().unwrap_or_default();
        let market = self.market();
        let mut profile = CustomerProfile::default();
        for scope in scopes {
            match scope {
                ProfileScope::Name => {
                    let given = || test_customer::GIVEN_NAME.to_owned();
                    profile.given_name = Some(known.given_name.clone().unwrap_or_else(given));
                    let family = || test_customer::family_name(market);
                    profile.family_name = Some(known.family_name.clone().unwrap_or_else(family));
                }
                ProfileScope::Email => {
                    let email = identity.email.clone().or_else(|| known.email.clone());
                    profile.email = Some(email.unwrap_or_else(|| test_customer::email(market)));
                }
                ProfileScope::Phone => {
                    let phone = identity.phone.clone().or_else(|| known.phone.clone());
                    profile.phone = phone.or_else(|| test_customer::phone(market));
                }
                ProfileScope::Locale => profile.locale = Some(market.default_locale().to_owned()),
                ProfileScope::Country => profile.country = Some(market.country.to_owned()),
                ProfileScope::BillingAddress => {
                    profile.address = Some(known.address.clone().unwrap_or_else(|| test_customer::address(market)));
                }
                ProfileScope::DateOfBirth => {
                    let born = || test_customer::DATE_OF_BIRTH.to_owned();
                    profile.date_of_birth = Some(known.date_of_birth.clone().unwrap_or_else(born));
                }
                // Ours: no test customer has one.
                ProfileScope::NationalIdentification | ProfileScope::Unknown(_) => {}
            }
        }
        Some(profile)
    }

    /// Where it goes, if the Partner left that to the journey (Express Checkout): to the first address that the Partner knew, or
    /// to the test customer's, but only into a country that the Partner sends to.
    fn shipping(&self) -> Option<ChosenShipping> {
        let config = self.body.shipping_config.as_ref()?;
        let data = self.body.supplementary_purchase_data.as_deref();
        let first = data.and_then(|data| data.shipping.as_ref()?.first().cloned()).unwrap_or_default();
        let customer = data.and_then(|data| data.customer.clone()).unwrap_or_default();
        let identity = self.identity.clone().unwrap_or_default();
        let supported = config.supported_countries.as_deref().unwrap_or_default();
        let is_supported =
            |country: &str| supported.is_empty() || supported.iter().any(|other| other.eq_ignore_ascii_case(country));
        let goes_there = |address: &Address| address.country.as_deref().is_none_or(is_supported);
        let market = self.market();
        let elsewhere = || supported.iter().find_map(|country| Market::by_country(country));
        let market = if is_supported(market.country) { market } else { elsewhere().unwrap_or(market) };
        let known = first.recipient.unwrap_or_default();
        Some(ChosenShipping {
            recipient: Some(Recipient {
                given_name: known.given_name.or(customer.given_name).or(Some(test_customer::GIVEN_NAME.to_owned())),
                family_name: known
                    .family_name
                    .or(customer.family_name)
                    .or_else(|| Some(test_customer::family_name(market))),
                email: known.email.or(identity.email).or(customer.email).or_else(|| Some(test_customer::email(market))),
                phone: known.phone.or(identity.phone).or(customer.phone).or_else(|| test_customer::phone(market)),
                attention: known.attention,
                ..Recipient::default()
            }),
            address: Some(
                [first.address, customer.address]
                    .into_iter()
                    .flatten()
                    .find(goes_there)
                    .unwrap_or_else(|| test_customer::address(market)),
            ),
            shipping_option: first.shipping_option,
            ..ChosenShipping::default()
        })
    }

    /// The address that the customer chose in the journey, if that was left to the customer.
    pub(super) fn chosen_address(&self) -> Option<&Address> {
        self.approval.as_ref()?.shipping.as_ref()?.address.as_ref()
    }

    pub(super) fn market(&self) -> &'static Market {
        let data = self.body.supplementary_purchase_data.as_deref();
        let country = data.and_then(|data| data.customer.as_ref()?.address.as_ref()?.country.as_deref());
        let currency = self.request.currency;
        // Ours: of the many markets with the euro, the largest.
        let by_currency = || markets().iter().find(|market| market.currency() == currency && currency != Currency::EUR);
        let germany = || Market::by_country("DE").expect("Germany is a market");
        country.and_then(Market::by_country).or_else(by_currency).unwrap_or_else(germany)
    }
}

pub(super) fn klarna_customer(approval: &Approval, customer: Option<&ShownCustomer>) -> Option<KlarnaCustomer> {
    if approval.profile.is_none() && customer.is_none() {
        return None;
    }
    Some(KlarnaCustomer {
        customer_profile: approval.profile.clone(),
        customer_token: customer.map(|(_, token)| token.clone()),
        customer_token_reference: customer.and_then(|(customer, _)| customer.reference.clone()),
        scopes: customer.map(|(customer, _)| customer.scopes.clone()),
        ..KlarnaCustomer::default()
    })
}
