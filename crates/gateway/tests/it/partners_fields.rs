//! `docs/onboarding-fields.md` is made of the tables, and names every field that an onboarding call can have.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use gateway::partners::part::{Kind, LEFT_OUT};
use protocol::shapes::accounts as shapes;
use serde_json::Value;

/// Every leaf of a table.
fn leaves(schema: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(items) = schema.get("items") {
        leaves(items, &format!("{at}[]"), found);
    } else if let Some(members) = schema.get("properties").and_then(Value::as_object) {
        for (name, member) in members {
            leaves(member, &if at.is_empty() { name.clone() } else { format!("{at}.{name}") }, found);
        }
    } else {
        found.push(at.to_owned());
    }
}

/// Klarna's name of each field, ours, and what giving it is good for.
fn mapped() -> Vec<(String, String, &'static str)> {
    let mut mapped = Vec::new();
    for kind in Kind::ALL {
        for field in kind.fields() {
            // A store stands inside of its group.
            let theirs = match (kind, field.theirs) {
                (Kind::Store, "store_group_reference") => "store_groups[].store_group_reference".to_owned(),
                (_, theirs) => format!("{}{theirs}", kind.their_place()),
            };
            let list = if kind == Kind::Account { String::new() } else { format!("{}[].", kind.list()) };
            mapped.push((theirs, format!("{list}{}", field.ours), field.benefit.unwrap_or_default()));
        }
    }
    mapped
}

#[test]
fn every_field_of_an_onboarding_call_is_mapped_or_left_out_for_a_reason_and_the_page_says_so() {
    let mut known = Vec::new();
    leaves(&shapes::onboard().schema(), "", &mut known);
    assert!(known.len() > 60, "{known:?}");
    let mapped = mapped();
    let is_left_out = |field: &str| LEFT_OUT.iter().find(|(theirs, _)| field.starts_with(theirs)).map(|(_, why)| *why);
    let mut page = String::from(
        "# What onboarding sends\n\nEvery field of `POST /v2/distribution/onboard`, and the field of `POST /v1/partners` that it is made from. \
         This page is made from the tables; a test keeps it so.\n\n| Klarna's field | ours | what giving it is good for |\n|---|---|---|\n",
    );
    for field in &known {
        let ours: Vec<&(String, String, &str)> = mapped.iter().filter(|(theirs, ..)| theirs == field).collect();
        match (ours.as_slice(), is_left_out(field)) {
            ([], Some(why)) => writeln!(page, "| `{field}` | – | {why} |").unwrap(),
            ([], None) => panic!("{field} is neither mapped nor left out for a reason"),
            (ours, _) => {
                let names: Vec<String> = ours.iter().map(|(_, ours, _)| format!("`{ours}`")).collect();
                let benefit = ours.iter().map(|(.., benefit)| *benefit).find(|text| !text.is_empty()).unwrap_or("–");
                writeln!(page, "| `{field}` | {} | {benefit} |", names.join(", ")).unwrap();
            }
        }
    }
    let unknown: BTreeSet<&String> =
        mapped.iter().map(|(theirs, ..)| theirs).filter(|theirs| !known.contains(theirs)).collect();
    assert!(unknown.is_empty(), "no field of the call: {unknown:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/onboarding-fields.md");
    // As snapshots are: `INSTA_UPDATE=always` writes it.
    if std::env::var("INSTA_UPDATE").is_ok_and(|wanted| wanted == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/onboarding-fields.md is not as the tables are"
    );
}
