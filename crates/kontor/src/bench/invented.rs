//! Invented Partners, as many as are wanted, the same for the same seed.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use gateway::partners::bulk::columns::{self, Column};
use kit::random::Random;
use serde_json::{Value, json};

use crate::cli::FileFormat;

const PLACES: [(&str, &str); 10] = [
    ("AT", "Graz"),
    ("BE", "Gent"),
    ("CZ", "Brno"),
    ("DE", "Kiel"),
    ("DK", "Aarhus"),
    ("FI", "Turku"),
    ("FR", "Nantes"),
    ("NL", "Delft"),
    ("NO", "Bergen"),
    ("SE", "Lund"),
];
const TRADES: [&str; 12] =
    ["Lanterns", "Kites", "Teapots", "Rope", "Maps", "Boots", "Clocks", "Wool", "Cellos", "Seeds", "Canoes", "Paper"];
const CATEGORIES: [&str; 5] = ["5941", "5942", "5945", "5651", "5732"];
const GIVEN: [&str; 8] = ["Ada", "Bo", "Cleo", "Dag", "Eda", "Finn", "Gro", "Ivo"];
const FAMILY: [&str; 8] = ["Vester", "Holm", "Lind", "Moor", "Nyby", "Strand", "Torp", "Wiek"];

/// What every one of them needs of the Acquiring Partner, and how many rows are spoilt.
#[derive(Clone, Debug)]
pub struct Invention {
    pub seed: u64,
    pub payment_profile_id: String,
    pub acquiring_account_id: String,
    /// One row in so many is faulty; 0 for none.
    pub faulty_every: u64,
}

impl Invention {
    pub fn is_faulty(&self, number: u64) -> bool {
        self.faulty_every > 0 && number.is_multiple_of(self.faulty_every)
    }

    /// The Partner of a row, numbered from 1.
    pub fn partner(&self, number: u64) -> Value {
        let random = Random::seeded(self.seed, number);
        let pick = |from: u64| usize::try_from(random.below(from)).unwrap_or_default();
        let (country, city) = PLACES[pick(10)];
        let (trade, given, family) = (TRADES[pick(12)], GIVEN[pick(8)], FAMILY[pick(8)]);
        let reference = format!("p-{number:06}");
        let host = format!("https://{}-{number}.example", trade.to_lowercase());
        let digits = random.text(b"0123456789", 9);
        let street = format!("{} Street {}", FAMILY[pick(8)], pick(90) + 1);
        let address = json!({"street_address": street, "postal_code": &digits[..5], "city": city, "country": country});
        let stores: Vec<Value> = (0..=pick(3))
            .map(|index| match index {
                0 => json!({"reference": "web", "store_group": "main", "type": "WEBSITE", "url": host}),
                _ => json!({"reference": format!("shop-{index}"), "store_group": "main", "type": "PHYSICAL_STORE",
                    "address": address}),
            })
            .collect();
        let mut partner = json!({"reference": reference, "name": format!("{family} {trade}"),
            "contact": {"given_name": given, "family_name": family, "email": format!("office@{}-{number}.example", trade.to_lowercase()),
                "phone": format!("+49301{digits}")},
            "sign_up": {"ip_address": format!("203.0.113.{}", pick(250) + 1), "signed_up_at": "2025-12-01T10:00:00Z"},
            "payment_profile_id": self.payment_profile_id,
            "business_entities": [{"reference": "entity", "legal_name": format!("{family} {trade} {country}"), "country": country,
                "merchant_category_codes": ["5941"],
                "registration": {"number": registration(country, &digits), "authority": format!("Register {city}"),
                    "entity_type": "LIMITED_LIABILITY_COMPANY", "tax_number": format!("T{digits}"), "address": address},
                "operating_addresses": [address],
                "stakeholders": [{"given_name": given, "family_name": family, "address": address, "date_of_birth": "1961-02-03",
                    "national_identification": {"number": format!("1961{digits}"), "country": country}, "roles": ["OWNER"]}],
                "payouts": {"status": "ENABLED", "enabled_at": "2026-01-01T00:00:00Z", "delay_days": 2, "bank_accounts": [
                    {"type": "IBAN", "holder": family, "bic": "NDEASEGGXXX", "iban": format!("DE89370400440{digits}")}]}}],
            "brands": [{"reference": "brand", "display_name": format!("{family} {trade}"), "logo_url": format!("{host}/logo.png")}],
            "store_groups": [{"reference": "main", "brand": "brand", "support_contact": {"email": "help@example.example"}}],
            "stores": stores,
            "payment_accounts": [{"reference": format!("{reference}-pa"), "business_entity": "entity", "store_group": "main",
                "acquiring_account_id": self.acquiring_account_id, "merchant_category_code": CATEGORIES[pick(5)]}]});
        if self.is_faulty(number) {
            self.spoil(&mut partner, number);
        }
        partner
    }

    /// Six ways in which files are wrong, in turn.
    fn spoil(&self, partner: &mut Value, number: u64) {
        match number / self.faulty_every % 6 {
            0 => partner["contact"]["email"] = json!("nowhere"),
            1 => drop(
                partner["business_entities"][0]["registration"].as_object_mut().and_then(|one| one.remove("number")),
            ),
            2 => partner["business_entities"][0]["country"] = json!("Atlantis"),
            3 => partner["business_entities"][0]["payouts"]["bank_accounts"][0]["iban"] = json!("?"),
            4 => partner["stores"][0]["url"] = json!("not a url"),
            // The row before is fine, or there is none: then this one names nothing.
            _ => partner["reference"] = json!(if number > 1 { format!("p-{:06}", number - 1) } else { String::new() }),
        }
    }

    /// Writes a file of `count` Partners.
    pub fn write(&self, path: &Path, format: FileFormat, count: u64) -> Result<()> {
        let said = || format!("writing {}", path.display());
        let file = std::fs::File::create(path).with_context(said)?;
        match format {
            FileFormat::Jsonl => {
                let mut writer = std::io::BufWriter::new(file);
                for number in 1..=count {
                    writeln!(writer, "{}", self.partner(number)).with_context(said)?;
                }
                writer.flush().with_context(said)
            }
            FileFormat::Csv => {
                let needed: BTreeSet<Column> =
                    (1..=count).flat_map(|number| columns::needed(&self.partner(number))).collect();
                let needed: Vec<Column> = needed.into_iter().collect();
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(needed.iter().map(Column::name))?;
                for number in 1..=count {
                    writer.write_record(columns::line(&needed, &self.partner(number)).0)?;
                }
                writer.flush().with_context(said)
            }
        }
    }
}

/// A number as the country's register writes it.
fn registration(country: &str, digits: &str) -> String {
    match country {
        "AT" => format!("FN {}a", &digits[..6]),
        "BE" => format!("0{digits}"),
        "DE" => format!("HRB {}", &digits[..6]),
        "FI" => format!("{}-{}", &digits[..7], &digits[7..8]),
        "FR" | "NO" => digits.to_owned(),
        "SE" => format!("{}-{}4", &digits[..6], &digits[6..9]),
        _ => digits[..8].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_invents_the_same_partners_and_one_in_so_many_is_spoilt() {
        let invention = Invention {
            seed: 7,
            payment_profile_id: "krn:pp".to_owned(),
            acquiring_account_id: "krn:aa".to_owned(),
            faulty_every: 10,
        };
        let all: Vec<Value> = (1..=60).map(|number| invention.partner(number)).collect();
        assert_eq!(all, (1..=60).map(|number| invention.partner(number)).collect::<Vec<_>>());
        let bare = Invention { faulty_every: 0, ..invention.clone() };
        let spoilt = (1..=60).filter(|number| bare.partner(*number) != all[usize::try_from(*number).unwrap() - 1]);
        assert_eq!(spoilt.collect::<Vec<_>>(), [10, 20, 30, 40, 50, 60]);
    }
}
