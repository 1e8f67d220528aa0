//! `supplementary_purchase_data` and its kin on captures and refunds (sheet 03 §7, sheet 06).
//!
//! It describes a purchase and decides nothing, so texts, times and descriptive enums are kept as they came.

use crate::{money::Currency, open_enum, wire::wire_struct};
use serde_json::Number;

open_enum! {
    pub enum FreeTrial {
        Active = "ACTIVE",
        Inactive = "INACTIVE",
    }

    /// Of billing plans and on-demand purchases.
    pub enum Interval {
        Day = "DAY",
        Week = "WEEK",
        Month = "MONTH",
        Year = "YEAR",
    }
}

wire_struct! {
    /// What is bought, by whom, and how it gets there. Amounts are minor units of the payment's currency.
    pub struct SupplementaryPurchaseData {
        /// The order number that the customer sees.
        pub purchase_reference: String,
        pub customer: Customer,
        pub shipping: Vec<Shipping>,
        pub line_items: Vec<LineItem>,
        pub subscriptions: Vec<Subscription>,
        pub ondemand_service: OndemandService,
        pub vouchers: Vec<Voucher>,
        pub marketplace_sellers: Vec<MarketplaceSeller>,
        pub event_reservations: Vec<EventReservation>,
        pub travel_reservations: Vec<TravelReservation>,
        pub lodging_reservations: Vec<LodgingReservation>,
        pub insurances: Vec<Insurance>,
        /// An older spelling of `event_reservations`.
        pub event_reservation_details: Vec<EventReservation>,
        /// Older spellings of `travel_reservations`, one per means of travel.
        pub bus_reservation_details: Vec<TravelReservation>,
        pub ferry_reservation_details: Vec<TravelReservation>,
        pub train_reservation_details: Vec<TravelReservation>,
        pub round_trip_reservation_details: Vec<TravelReservation>,
        /// A serialized JSON document with everything else.
        pub additional_data: String,
    }

    pub struct Customer {
        pub given_name: String,
        pub family_name: String,
        pub email: String,
        pub email_last_verified_at: String,
        pub phone: String,
        pub phone_last_verified_at: String,
        pub address: Address,
        /// `YYYY-MM-DD`.
        pub date_of_birth: String,
        pub national_identification: NationalIdentification,
        pub customer_account: CustomerAccount,
        pub customer_device: CustomerDevice,
    }

    pub struct Address {
        pub street_address: String,
        pub street_address2: String,
        pub postal_code: String,
        pub city: String,
        /// Mandatory for US and AU.
        pub region: String,
        /// ISO 3166-1 alpha-2.
        pub country: String,
    }

    pub struct NationalIdentification {
        pub number: String,
        pub country: String,
    }

    /// The customer's account with the Partner.
    pub struct CustomerAccount {
        pub account_identifier: String,
        pub loyalty_level: String,
        pub created_at: String,
        pub updated_at: String,
        pub last_login: LastLogin,
        pub purchase_history: Vec<PurchaseHistory>,
        pub device_purchase_history: Vec<PurchaseHistory>,
    }

    pub struct LastLogin {
        pub occurred_at: String,
        /// As in `WEBAUTHN_PASSKEY`.
        pub login_method: String,
    }

    pub struct PurchaseHistory {
        pub number_of_purchases: i64,
        pub number_of_paid_purchases: i64,
        pub number_of_disputed_purchases: i64,
        pub total_amount: i64,
        pub currency: Currency,
        pub payment_method: String,
        pub first_purchase_at: String,
        pub last_purchase_at: String,
    }

    pub struct CustomerDevice {
        pub app_identifier: String,
        pub device_identifier: String,
        pub user_agent: String,
        pub ip_address: String,
        pub geolocation: Geolocation,
    }

    pub struct Geolocation {
        pub country: String,
        /// Kept as written; the only number here that may have a fraction.
        pub latitude: Number,
        pub longitude: Number,
    }

    pub struct Shipping {
        pub shipping_reference: String,
        pub recipient: Recipient,
        pub address: Address,
        pub shipping_option: ShippingOption,
    }

    pub struct Recipient {
        pub given_name: String,
        pub family_name: String,
        pub email: String,
        pub phone: String,
        /// "c/o".
        pub attention: String,
    }

    pub struct ShippingOption {
        /// Set by Klarna when the customer chose in the journey.
        pub shipping_option_reference: String,
        /// As in `TO_DOOR`.
        pub shipping_type: String,
        /// As in `SIGNATURE_REQUIRED`.
        pub shipping_type_attributes: Vec<String>,
        pub shipping_carrier: String,
    }

    /// One line; discounts are lines with a negative amount, shipping fees and gift cards are lines too.
    pub struct LineItem {
        pub name: String,
        pub quantity: i64,
        pub unit_price: i64,
        /// What the sum rule adds up.
        pub total_amount: i64,
        pub total_tax_amount: i64,
        pub product_url: String,
        pub image_url: String,
        pub product_identifier: String,
        pub line_item_reference: String,
        /// An older name of `line_item_reference`.
        pub reference: String,
        pub shipping_reference: String,
        pub subscription_reference: String,
        pub line_item_metadata: LineItemMetadata,
    }

    pub struct LineItemMetadata {
        pub categories: Vec<String>,
    }

    pub struct Subscription {
        pub subscription_reference: String,
        pub name: String,
        pub free_trial: FreeTrial,
        pub billing_plans: Vec<BillingPlan>,
    }

    pub struct BillingPlan {
        pub billing_amount: i64,
        pub currency: Currency,
        /// `YYYY-MM-DD`, or a time.
        pub from: String,
        pub interval: Interval,
        pub interval_frequency: i64,
    }

    pub struct OndemandService {
        pub average_amount: i64,
        pub minimum_amount: i64,
        pub maximum_amount: i64,
        pub currency: Currency,
        pub purchase_interval: Interval,
        pub purchase_interval_frequency: i64,
    }

    pub struct Voucher {
        pub voucher_name: String,
        /// As in `GIFT_CARD`.
        pub voucher_type: String,
        pub voucher_company: String,
        pub starts_at: String,
        pub ends_at: String,
        pub affiliate_name: String,
    }

    pub struct MarketplaceSeller {
        pub marketplace_seller_reference: String,
        pub marketplace_seller_name: String,
        pub marketplace_seller_address: Address,
        pub product_category: String,
        pub line_item_references: Vec<String>,
        pub shipping_references: Vec<String>,
        pub seller_rating: String,
        pub number_of_transactions: i64,
        pub volume_of_transactions: i64,
        pub seller_registered_at: String,
        pub seller_updated_at: String,
        pub seller_last_login_at: String,
    }

    pub struct EventReservation {
        pub event_name: String,
        pub event_company_name: String,
        /// As in `CONCERT`.
        pub event_type: String,
        pub starts_at: String,
        pub ends_at: String,
        pub venue_name: String,
        pub access_controlled_venue: bool,
        pub address: Address,
        pub affiliate_name: String,
        pub insurances: Vec<Insurance>,
    }

    pub struct TravelReservation {
        /// As in `AIR`.
        pub travel_type: String,
        pub reservation_reference: String,
        pub departure: Departure,
        pub arrival: Arrival,
        pub carrier_name: String,
        pub price: i64,
        pub currency: Currency,
        pub ticket_class: String,
        pub passengers: Vec<Person>,
        pub insurances: Vec<Insurance>,
        pub affiliate_name: String,
    }

    /// The address stands in `address`, or, for flights, beside it.
    pub struct Departure {
        pub departure_location: String,
        pub departure_airport: String,
        pub departs_at: String,
        pub address: Address,
        pub street_address: String,
        pub street_address2: String,
        pub postal_code: String,
        pub city: String,
        pub region: String,
        pub country: String,
    }

    /// The address stands in `address`, or, for flights, beside it.
    pub struct Arrival {
        pub arrival_location: String,
        /// IATA code.
        pub arrival_airport: String,
        pub arrives_at: String,
        pub address: Address,
        pub street_address: String,
        pub street_address2: String,
        pub postal_code: String,
        pub city: String,
        pub region: String,
        pub country: String,
    }

    pub struct LodgingReservation {
        pub lodging_name: String,
        pub address: Address,
        pub starts_at: String,
        pub ends_at: String,
        pub number_of_spaces: i64,
        pub price: i64,
        pub currency: Currency,
        /// As in `ROOM`.
        pub lodging_type: String,
        pub guests: Vec<Person>,
        /// One object, in spite of its name.
        pub hosts: LodgingHost,
        pub insurances: Vec<Insurance>,
        pub affiliate_name: String,
    }

    pub struct LodgingHost {
        pub host_reference: String,
        /// As in `HOTEL`.
        pub host_type: String,
        pub country_of_domicile: String,
        pub registered_at: String,
        pub number_of_reservations: i64,
    }

    pub struct Person {
        pub given_name: String,
        pub family_name: String,
    }

    pub struct Insurance {
        /// As in `CANCELATION`.
        pub insurance_type: String,
        pub insurance_company_name: String,
        pub price: i64,
        pub currency: Currency,
    }

    /// What a capture covers.
    pub struct SupplementaryCaptureData {
        pub line_items: Vec<LineItem>,
        pub shipments: Vec<Shipment>,
    }

    pub struct Shipment {
        pub delivery: ShipmentLeg,
        /// The parcel's way back.
        pub return_leg as "return": ShipmentLeg,
    }

    pub struct ShipmentLeg {
        pub tracking_number: String,
        pub tracking_url: String,
        pub shipping_carrier: String,
        pub shipping_type: String,
        /// As in `LEAVE_AT_DOOR`.
        pub shipping_type_attribute: String,
        pub estimated_delivery_date: String,
    }

    /// What a refund covers.
    pub struct SupplementaryRefundData {
        pub line_items: Vec<LineItem>,
    }
}
