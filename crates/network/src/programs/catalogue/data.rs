//! The catalogue's data. Amounts are whole units of the market's currency, rates hundredths of a percent.
//!
//! Where third parties name a limit for a market or an option (fact sheet 04 §8.2), it is taken; everything else is invented.

use super::categories::Trade;
use super::{
    Base, CurrencyRow, CustomerMarket, Enablement, Offer, PricePlan, PricingRegion, ProfilePlans, Program, ProgramPlan,
    RateCard, Terms, Version, Versions,
};
use Enablement::{Optional, Preset, Restricted};

const NOBODY: &[Trade] = &[];
/// Who sells what cannot be taken back waits less for the customer's money.
const SHORT_LIVED: &[Trade] = &[Trade::Digital, Trade::Travel];

pub(super) const PROGRAMS: &[Program] = &[
    program("pay-now", "Pay in full", Preset, Terms::Now, NOBODY),
    program("pay-later-30", "Pay in 30 days", Preset, Terms::Later { days: 30 }, NOBODY),
    program("pay-later-60", "Pay in 60 days", Optional, Terms::Later { days: 60 }, SHORT_LIVED),
    program("pay-in-3", "Pay in 3", Preset, Terms::Parts { count: 3, gap_days: 30 }, NOBODY),
    program("pay-in-4", "Pay in 4", Preset, Terms::Parts { count: 4, gap_days: 14 }, NOBODY),
    program("financing-6", "Financing, 6 months", Optional, financing(6, 1_190), SHORT_LIVED),
    program("financing-12", "Financing, 12 months", Optional, financing(12, 1_290), SHORT_LIVED),
    program("financing-24", "Financing, 24 months", Optional, financing(24, 1_390), SHORT_LIVED),
    program("financing-36", "Financing, 36 months", Optional, financing(36, 1_490), SHORT_LIVED),
    program("financing-interest", "Financing with interest", Restricted, financing(12, 2_190), SHORT_LIVED),
    program("financing-free-6", "Financing 0%, 6 months", Restricted, financing(6, 0), SHORT_LIVED),
    program("financing-free-12", "Financing 0%, 12 months", Restricted, financing(12, 0), SHORT_LIVED),
    program("financing-free-24", "Financing 0%, 24 months", Restricted, financing(24, 0), SHORT_LIVED),
    program("financing-free-36", "Financing 0%, 36 months", Restricted, financing(36, 0), SHORT_LIVED),
];

const fn program(
    key: &'static str,
    display_name: &'static str,
    enablement: Enablement,
    terms: Terms,
    refuses: &'static [Trade],
) -> Program {
    Program { key, display_name, enablement, terms, refuses, across_currencies: matches!(terms, Terms::Now) }
}

const fn financing(months: i64, interest_bps: i64) -> Terms {
    Terms::Financing { months, interest_bps }
}

#[rustfmt::skip]
pub(super) const MARKETS: &[CustomerMarket] = &[
    market("AT", &[
        offer("pay-now", 1, 10_000), offer("pay-later-30", 5, 2_500), offer("pay-later-60", 50, 1_500), offer("pay-in-3", 35, 4_000),
        offer("financing-6", 25, 10_000), offer("financing-12", 120, 10_000), offer("financing-24", 1_000, 10_000),
        offer("financing-36", 1_500, 10_000),
    ]),
    market("AU", &[offer("pay-now", 1, 10_000), offer("pay-later-30", 10, 1_500), offer("pay-in-4", 35, 3_000)]),
    market("BE", &[offer("pay-now", 1, 10_000), offer("pay-later-30", 5, 2_500), offer("pay-in-3", 35, 4_000)]),
    market("CA", &[offer("pay-now", 1, 10_000), offer("pay-in-4", 35, 2_500)]),
    market("CH", &[offer("pay-now", 1, 5_000), offer("pay-later-30", 5, 2_000), offer("pay-in-3", 35, 3_000)]),
    market("CZ", &[offer("pay-now", 25, 100_000), offer("pay-later-30", 100, 30_000), offer("pay-in-3", 900, 50_000)]),
    market("DE", &[
        offer("pay-now", 1, 10_000), offer("pay-later-30", 5, 5_000), offer("pay-later-60", 50, 2_500), offer("pay-in-3", 35, 5_000),
        offer("financing-6", 25, 10_000), offer("financing-12", 120, 10_000), offer("financing-24", 1_000, 10_000),
        offer("financing-36", 1_500, 10_000),
    ]),
    market("DK", &[
        offer("pay-now", 10, 100_000), offer("pay-later-30", 50, 15_000), offer("pay-later-60", 400, 10_000), offer("pay-in-3", 350, 30_000),
    ]),
    market("ES", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("FI", &[
        offer("pay-now", 1, 10_000), offer("pay-later-30", 5, 2_500), offer("pay-later-60", 50, 1_500), offer("pay-in-3", 35, 4_000),
        offer("financing-6", 25, 10_000), offer("financing-12", 500, 10_000), offer("financing-24", 1_000, 10_000),
        offer("financing-36", 1_500, 10_000),
    ]),
    market("FR", &[offer("pay-now", 1, 10_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 4_000)]),
    market("GB", &[
        offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 25, 2_000),
        offer("financing-interest", 100, 4_000), offer("financing-free-6", 100, 4_000), offer("financing-free-12", 200, 4_000),
        offer("financing-free-24", 500, 4_000), offer("financing-free-36", 1_000, 4_000),
    ]),
    market("GR", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("HU", &[offer("pay-now", 400, 1_000_000), offer("pay-later-30", 2_000, 400_000), offer("pay-in-3", 14_000, 600_000)]),
    market("IE", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("IT", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("MX", &[offer("pay-now", 20, 200_000), offer("pay-in-4", 700, 40_000)]),
    market("NL", &[
        offer("pay-now", 1, 14_000), offer("pay-later-30", 5, 5_000), offer("pay-later-60", 50, 2_500), offer("pay-in-3", 35, 4_000),
    ]),
    market("NO", &[
        offer("pay-now", 10, 100_000), offer("pay-later-30", 50, 25_000), offer("pay-later-60", 500, 15_000), offer("pay-in-3", 350, 40_000),
        offer("financing-6", 250, 100_000), offer("financing-12", 5_000, 100_000), offer("financing-24", 10_000, 100_000),
        offer("financing-36", 15_000, 100_000),
    ]),
    market("NZ", &[offer("pay-now", 1, 10_000), offer("pay-later-30", 10, 1_500), offer("pay-in-4", 35, 3_000)]),
    market("PL", &[offer("pay-now", 5, 20_000), offer("pay-later-30", 20, 6_000), offer("pay-in-3", 150, 8_000)]),
    market("PT", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("RO", &[offer("pay-now", 5, 20_000), offer("pay-later-30", 25, 7_000), offer("pay-in-3", 170, 8_000)]),
    market("SE", &[
        offer("pay-now", 10, 150_000), offer("pay-later-30", 50, 25_000), offer("pay-later-60", 500, 15_000), offer("pay-in-3", 350, 50_000),
        offer("financing-6", 250, 150_000), offer("financing-12", 5_000, 150_000), offer("financing-24", 10_000, 150_000),
        offer("financing-36", 15_000, 150_000),
    ]),
    market("SK", &[offer("pay-now", 1, 4_000), offer("pay-later-30", 5, 1_500), offer("pay-in-3", 35, 1_500)]),
    market("US", &[
        offer("pay-now", 1, 10_000), offer("pay-in-4", 35, 2_500), offer("financing-6", 150, 10_000), offer("financing-12", 300, 10_000),
        offer("financing-24", 750, 10_000),
    ]),
];

const fn market(country: &'static str, offers: &'static [Offer]) -> CustomerMarket {
    CustomerMarket { country, offers }
}

const fn offer(program: &'static str, minimum: i64, maximum: i64) -> Offer {
    Offer { program, minimum, maximum }
}

/// Countries that are in no region are the rest of the world.
pub(super) const REGIONS: &[(PricingRegion, &str)] = &[
    (PricingRegion::NorthCentralEurope, "AT AX BE CH DE DK EE FI FO FR GB IE IS LI LT LU LV NL NO SE"),
    (PricingRegion::SouthEastEurope, "AD BG CY CZ ES GR HR HU IT MC MT PL PT RO SI SK SM VA"),
    (PricingRegion::NorthAmerica, "CA MX US"),
    (PricingRegion::AsiaPacific, "AU CN HK JP KR NZ SG TW"),
];

pub(super) const CURRENCIES: &[CurrencyRow] = &[
    currency("AUD", 2, 45, "AU"),
    currency("CAD", 1, 40, "CA"),
    currency("CHF", 1, 30, "CH"),
    currency("CZK", 25, 700, "CZ"),
    currency("DKK", 7, 220, "DK"),
    currency("EUR", 1, 30, "DE"),
    currency("GBP", 1, 25, "GB"),
    currency("HUF", 400, 11_000, "HU"),
    currency("MXN", 20, 550, "MX"),
    currency("NOK", 11, 300, "NO"),
    currency("NZD", 2, 50, "NZ"),
    currency("PLN", 4, 125, "PL"),
    currency("RON", 5, 150, "RO"),
    currency("SEK", 11, 300, "SE"),
    currency("USD", 1, 30, "US"),
];

const fn currency(code: &'static str, per_euro: i64, fixed_fee: i64, home: &'static str) -> CurrencyRow {
    CurrencyRow { code, per_euro, fixed_fee, home }
}

const OF_2024: &[&str] = &["pay-now", "pay-later-30", "pay-in-3", "pay-in-4", "financing-6", "financing-12"];
const OF_2025: &[&str] = &[
    "pay-now",
    "pay-later-30",
    "pay-later-60",
    "pay-in-3",
    "pay-in-4",
    "financing-6",
    "financing-12",
    "financing-24",
    "financing-36",
    "financing-interest",
    "financing-free-6",
    "financing-free-12",
    "financing-free-24",
    "financing-free-36",
];
const ESSENTIAL: &[&str] = &["pay-now", "pay-later-30"];

pub(super) const PROGRAM_PLANS: &[ProgramPlan] = &[
    ProgramPlan {
        key: "standard",
        versions: Versions(&[version(1, "2024-01-01T00:00:00Z", OF_2024), version(2, "2025-02-01T00:00:00Z", OF_2025)]),
    },
    ProgramPlan { key: "essential", versions: Versions(&[version(1, "2024-01-01T00:00:00Z", ESSENTIAL)]) },
];

const fn version<T>(version: i64, effective_from: &'static str, content: T) -> Version<T> {
    Version { version, effective_from, content }
}

const BASES: &[Base] = &[
    base(PricingRegion::NorthCentralEurope, 149, 299, 349, 379, 1_500),
    base(PricingRegion::SouthEastEurope, 169, 329, 379, 409, 1_500),
    base(PricingRegion::NorthAmerica, 219, 349, 599, 599, 2_000),
    base(PricingRegion::AsiaPacific, 199, 399, 499, 549, 2_000),
];

const fn base(region: PricingRegion, now: i64, later: i64, parts: i64, financing: i64, cap: i64) -> Base {
    Base { region, now, later, parts, financing, cap }
}

const TRADES: &[(Trade, i64)] = &[
    (Trade::Retail, 0),
    (Trade::Essential, -30),
    (Trade::Service, 20),
    (Trade::Digital, 40),
    (Trade::Travel, 60),
    (Trade::Marketplace, 10),
];

const fn rates(all: i64) -> RateCard {
    RateCard { bases: BASES, trades: TRADES, physical: -40, cross_border: 50, all }
}

pub(super) const PRICE_PLANS: &[PricePlan] = &[
    PricePlan {
        key: "standard",
        versions: Versions(&[
            version(1, "2024-01-01T00:00:00Z", rates(20)),
            version(2, "2025-07-01T00:00:00Z", rates(0)),
            version(3, "2030-01-01T00:00:00Z", rates(10)),
        ]),
    },
    PricePlan {
        key: "essential",
        versions: Versions(&[
            version(1, "2024-01-01T00:00:00Z", rates(-10)),
            version(2, "2025-07-01T00:00:00Z", rates(-25)),
        ]),
    },
];

/// The profiles that an Acquiring Partner is given, the usual one first.
pub(super) const PROFILES: &[ProfilePlans] = &[
    ProfilePlans { name: "Standard", price_plan: "standard", program_plan: "standard" },
    ProfilePlans { name: "Essential", price_plan: "essential", program_plan: "essential" },
];
