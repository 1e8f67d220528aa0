//! Payment profiles, programs, plans, enablements, price plans (sheets 02 §3.7, 05 §4, 06).

use super::{AMOUNT, COUNT, Kind, KrnKind, Row, list_rows, reference, text, under};

crate::shapes! {
    /// An entry of GET `/v2/distribution/products/payment/profiles`.
    payment_profile = profile_rows(), &[];
    /// GET `/v2/distribution/products/payment/payment-program-plans`.
    payment_program_plans = list_rows("payment_program_plans", plan_rows("payment_program_plan_id", KrnKind::PaymentProgramPlan), true), &[];
    /// GET `/v2/distribution/products/payment/payment-program-plans/{payment_program_plan_id}`.
    payment_programs_of_plan = programs_of_plan_rows(), &[];
    /// A payment program.
    payment_program = program_rows(), &[];
    /// GET `…/products/payment/payment-programs`.
    payment_programs = list_rows("payment_programs", own_program_rows(), true), &[];
    /// Body of POST `…/payment-program-enablements`.
    enablement_create = enablement_create_rows(), &[];
    /// An enablement.
    enablement = enablement_rows(), &[];
    /// GET `…/payment-program-enablements`.
    enablements = list_rows("payment_program_enablements", enablement_rows(), true), &[];
    /// GET `/v2/distribution/products/payment/price-plans`.
    price_plans = list_rows("price_plans", plan_rows("price_plan_id", KrnKind::PricePlan), true), &[];
    /// GET `/v2/distribution/products/payment/price-plans/{price_plan_id}`.
    price_plan = price_plan_rows(), &[];
}

/// `2.99`: two digits behind the point.
const PERCENT: Kind = Kind::Matching { min: 4, max: 6, accepts: is_percent, wanted: "a percentage like 2.99" };
const CATEGORY_CODE: Kind = Kind::Matching {
    min: 4,
    max: 4,
    accepts: |text| text.bytes().all(|byte| byte.is_ascii_digit()),
    wanted: "a merchant category code of four digits, like 5942",
};
const ENABLEMENT_TYPES: Kind = Kind::OneOf(&["PRESET", "OPTIONAL", "RESTRICTED"]);

fn is_percent(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, fraction)| digits(whole) && digits(fraction) && fraction.len() == 2)
}

fn profile_rows() -> Vec<Row> {
    vec![
        Row::new("payment_profile_id", Kind::Id(KrnKind::PaymentProfile)).required(),
        text("name").required(),
        Row::new("price_plan_id", Kind::Id(KrnKind::PricePlan)).required(),
        Row::new("payment_program_plan_id", Kind::Id(KrnKind::PaymentProgramPlan)).required(),
    ]
}

fn version_rows() -> Vec<Row> {
    vec![
        Row::new("version", COUNT).required(),
        Row::new("effective_from", Kind::Timestamp).required(),
        Row::new("effective_to", Kind::Timestamp),
    ]
}

fn plan_rows(id: &str, kind: KrnKind) -> Vec<Row> {
    let mut rows = vec![Row::new(id, Kind::Id(kind)).required()];
    rows.extend(list_rows("versions", version_rows(), false));
    rows
}

fn program_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_program_id", Kind::Id(KrnKind::PaymentProgram)).required(),
        text("display_name").required(),
        Row::new("payment_program_category", Kind::Open).required(),
        Row::new("funding_type", Kind::Open).required(),
        Row::new("enablement_type", ENABLEMENT_TYPES).required(),
        Row::new("status", Kind::OneOf(&["AVAILABLE", "DEPRECATED", "DECOMMISSIONED"])).required(),
    ];
    let market = [
        Row::new("customer_country", Kind::Country).required(),
        Row::new("transaction_currency", Kind::Currency).required(),
        Row::new("minimum_amount", AMOUNT).required(),
        Row::new("maximum_amount", AMOUNT).required(),
    ];
    rows.extend(list_rows("markets", market, false));
    rows
}

fn own_program_rows() -> Vec<Row> {
    let mut rows = program_rows();
    rows.extend(list_rows("active_enablements", enablement_rows(), false));
    rows
}

fn programs_of_plan_rows() -> Vec<Row> {
    let mut rows = vec![Row::new("payment_program_plan_id", Kind::Id(KrnKind::PaymentProgramPlan)).required()];
    rows.extend(version_rows());
    rows.extend(list_rows("payment_programs", program_rows(), true));
    rows
}

fn criteria_rows() -> Vec<Row> {
    under(
        "enablement_criteria",
        [
            Row::new("customer_countries[]", Kind::Country),
            Row::new("merchant_category_codes[]", CATEGORY_CODE),
            Row::new("payment_account_ids[]", Kind::Id(KrnKind::PaymentAccount)),
            // The older spelling (RULINGS 1.3).
            Row::new("markets[].customer_country", Kind::Country).required(),
            Row::new("markets[].transaction_currency", Kind::Currency),
        ],
    )
}

fn enablement_create_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_program_id", Kind::Id(KrnKind::PaymentProgram)).required(),
        reference("payment_program_enablement_code"),
        Row::new("enablement_criteria", Kind::Object),
    ];
    rows.extend(criteria_rows());
    rows
}

fn enablement_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_program_enablement_id", Kind::Id(KrnKind::PaymentProgramEnablement)).required(),
        Row::new("payment_program_id", Kind::Id(KrnKind::PaymentProgram)).required(),
        reference("payment_program_enablement_code"),
        Row::new("enablement_criteria", Kind::Object).required(),
        Row::new("state", Kind::OneOf(&["ACTIVE", "ENDED"])).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("ended_at", Kind::Timestamp),
    ];
    rows.extend(criteria_rows());
    rows
}

fn price_plan_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("price_plan_id", Kind::Id(KrnKind::PricePlan)).required(),
        Row::new("state", Kind::OneOf(&["PUBLISHED"])).required(),
    ];
    rows.extend(version_rows());
    let rate = [
        Row::new("payment_program_id", Kind::Id(KrnKind::PaymentProgram)).required(),
        Row::new("merchant_category_code", CATEGORY_CODE).required(),
        Row::new("customer_country", Kind::Country).required(),
        Row::new("partner_country", Kind::Country),
        Row::new("pricing_payment_category", Kind::OneOf(&["DIGITAL", "PHYSICAL"])).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("variable_rate", PERCENT).required(),
        Row::new("fixed_fee", COUNT).required(),
        Row::new("microtransaction_cap", PERCENT).required(),
    ];
    rows.extend(list_rows("rates", rate, true));
    rows
}
