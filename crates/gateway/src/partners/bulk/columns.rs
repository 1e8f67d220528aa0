//! A Partner as the line of a table: one column per field, named by the field's path, as faults name it too:
//! `business_entities[0].registration.number`. Pure.
//!
//! An empty cell says nothing about its field. Entries of lists are numbered from 0 without gaps.

use std::collections::BTreeSet;

use kit::http::FieldFault;
use serde_json::{Map, Value};

use super::super::part::{Field, Kind};

/// Fields that are numbers; all others are texts.
const NUMBERS: [&str; 1] = ["business_entities[].payouts.delay_days"];

/// Where a column belongs: kind, entry, field and the numbers inside of the field. Columns are ordered by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(usize, usize, usize, Vec<usize>);

/// A column that is a field of a Partner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    place: Place,
    name: String,
}

/// Every field of a Partner with its list in front: `stores[].url`.
pub fn fields() -> impl Iterator<Item = (String, &'static Field)> {
    Kind::ALL.into_iter().flat_map(|kind| kind.fields().iter().map(move |field| (bare(kind, field), field)))
}

fn bare(kind: Kind, field: &Field) -> String {
    if kind == Kind::Account { field.ours.to_owned() } else { format!("{}[].{}", kind.list(), field.ours) }
}

impl Column {
    /// The column of that name; `None` if it is no field of a Partner.
    pub fn named(name: &str) -> Option<Self> {
        let (bare_name, numbers) = numberless(name)?;
        for (kind_index, kind) in Kind::ALL.into_iter().enumerate() {
            for (field_index, field) in kind.fields().iter().enumerate() {
                if bare(kind, field) == bare_name {
                    let (entry, inner) = match numbers.split_first() {
                        Some((first, rest)) if kind != Kind::Account => (*first, rest.to_vec()),
                        _ => (0, numbers),
                    };
                    return Some(Self { place: Place(kind_index, entry, field_index, inner), name: name.to_owned() });
                }
            }
        }
        None
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn is_number(&self) -> bool {
        numberless(&self.name).is_some_and(|(bare, _)| NUMBERS.contains(&bare.as_str()))
    }
}

/// The columns of Partners that have `entries` entries in every list.
pub fn template(entries: usize) -> Vec<Column> {
    let mut names = Vec::new();
    for (bare, _) in fields() {
        let mut paths = vec![bare];
        while paths.iter().any(|path| path.contains("[]")) {
            let numbered =
                |path: &String| (0..entries).map(|n| path.replacen("[]", &format!("[{n}]"), 1)).collect::<Vec<_>>();
            paths = paths.iter().flat_map(numbered).collect();
        }
        names.extend(paths);
    }
    let mut columns: Vec<Column> = names.iter().filter_map(|name| Column::named(name)).collect();
    columns.sort();
    columns
}

/// The columns that a Partner needs.
pub fn needed(partner: &Value) -> BTreeSet<Column> {
    cells(partner).into_iter().filter_map(|(name, _)| Column::named(&name)).collect()
}

/// A Partner's cells under these columns, and the names of fields that none of them has.
pub fn line(columns: &[Column], partner: &Value) -> (Vec<String>, Vec<String>) {
    let mut known: std::collections::HashMap<String, String> = cells(partner).into_iter().collect();
    let line = columns.iter().map(|column| known.remove(&column.name).unwrap_or_default()).collect();
    (line, known.into_keys().collect())
}

/// Every value with its path; null and empty lists are not there.
fn cells(partner: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, at: String, found: &mut Vec<(String, String)>) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, if at.is_empty() { name.clone() } else { format!("{at}.{name}") }, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, format!("{at}[{index}]"), found);
                }
            }
            Value::String(text) => found.push((at, text.clone())),
            other => found.push((at, other.to_string())),
        }
    }
    let mut found = Vec::new();
    walk(partner, String::new(), &mut found);
    found
}

/// A Partner from the cells of a line.
///
/// # Errors
/// Entries whose predecessors are empty: their numbers would not be theirs.
pub fn partner<'c>(columns: &[Column], cells: impl Iterator<Item = &'c str>) -> Result<Value, Vec<FieldFault>> {
    let (mut partner, mut faults) = (Value::Object(Map::new()), Vec::new());
    let mut given: Vec<(&Column, &str)> = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()).collect();
    given.sort_by_key(|(column, _)| &column.place);
    for (column, cell) in given {
        // What is no number stays a text, which the rules of the field then refuse.
        let number = cell.parse::<i64>().ok().filter(|_| column.is_number());
        let value = number.map_or_else(|| Value::String(cell.to_owned()), Value::from);
        if let Err(missing) = put(&mut partner, &column.name, value) {
            faults.push(FieldFault::new(&column.name, format!("is given, but nothing of {missing}")));
        }
    }
    if faults.is_empty() { Ok(partner) } else { Err(faults) }
}

/// Puts a value where it belongs; fails with the entry before it that is not there.
fn put(to: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (mut place, mut walked) = (to, String::new());
    for segment in path.split('.') {
        let (name, numbers) = segment.split_once('[').unwrap_or((segment, ""));
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(name);
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
        for number in numbers.split('[').filter_map(|text| text.trim_end_matches(']').parse::<usize>().ok()) {
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let Value::Array(items) = place else { return Err(walked) };
            if number > items.len() {
                return Err(format!("{walked}[{}]", items.len()));
            }
            if number == items.len() {
                items.push(Value::Null);
            }
            walked.push_str(&format!("[{number}]"));
            place = &mut items[number];
        }
    }
    *place = value;
    Ok(())
}

/// A path without its numbers, and these; `None` for one that is not well formed.
fn numberless(path: &str) -> Option<(String, Vec<usize>)> {
    let (mut bare, mut numbers, mut left) = (String::new(), Vec::new(), path);
    while let Some((before, after)) = left.split_once('[') {
        let (number, more) = after.split_once(']')?;
        // `[+1]` and `[01]` would be second names of `[1]`.
        let parsed: usize = number.parse().ok()?;
        if parsed.to_string() != number {
            return None;
        }
        bare.push_str(before);
        bare.push_str("[]");
        numbers.push(parsed);
        left = more;
    }
    bare.push_str(left);
    Some((bare, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::shapes::accounts as shapes;
    use serde_json::json;

    fn columns(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column::named(name).unwrap()).collect()
    }

    #[test]
    fn a_partner_goes_through_a_line_and_comes_back() {
        let given = json!({"reference": "m-1", "name": "A, \"b\"", "contact": {"email": "a@b.example"},
            "business_entities": [{"reference": "le", "merchant_category_codes": ["5941", "5942"],
                "stakeholders": [{"given_name": "Ada", "roles": ["OWNER", "DIRECTOR"]}, {"given_name": "Bo"}],
                "payouts": {"delay_days": 2, "bank_accounts": [{"type": "IBAN"}]}}],
            "stores": [{"reference": "web"}, {"reference": "app", "bundle_names": ["x"]}]});
        let columns: Vec<Column> = needed(&given).into_iter().collect();
        let (cells, left) = line(&columns, &given);
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(partner(&columns, cells.iter().map(String::as_str)).unwrap(), given);
        let (_, left) = line(&columns[..3], &given);
        assert!(left.contains(&"stores[0].reference".to_owned()), "what has no column is named");
    }

    #[test]
    fn an_empty_cell_says_nothing_and_a_gap_between_entries_is_refused_by_name() {
        let columns = columns(&["reference", "name", "stores[1].url", "stores[0].url"]);
        assert_eq!(partner(&columns, ["m-1", "", "", ""].into_iter()).unwrap(), json!({"reference": "m-1"}));
        let both = partner(&columns, ["m-1", "", "u1", "u0"].into_iter()).unwrap();
        assert_eq!(both["stores"], json!([{"url": "u0"}, {"url": "u1"}]), "whatever the order of the columns");
        let faults = partner(&columns, ["m-1", "", "u1", ""].into_iter()).unwrap_err();
        assert_eq!((faults[0].parameter.as_str(), faults[0].reason.contains("stores[0]")), ("stores[1].url", true));
    }

    #[test]
    fn only_fields_have_columns() {
        for wrong in
            ["", "colour", "stores.url", "stores[].url", "stores[x].url", "stores[01].url", "stores[0]", "name[0]"]
        {
            assert_eq!(Column::named(wrong), None, "{wrong}");
        }
        let template = template(1);
        assert_eq!(template.len(), fields().count());
        assert_eq!(template[0].name(), "reference");
    }

    #[test]
    fn the_numbers_are_those_of_the_rules() {
        let schema = shapes::onboard().schema();
        let is_number = |kind: Kind, field: &Field| {
            let mut node = &schema;
            for segment in format!("{}{}", kind.their_place(), field.theirs).split('.') {
                node = &node["properties"][segment.trim_end_matches("[]")];
                for _ in 0..segment.matches("[]").count() {
                    node = &node["items"];
                }
            }
            // One that need not be there may be null, too.
            node["type"] == "integer" || node["type"][0] == "integer"
        };
        let found: Vec<String> = Kind::ALL
            .into_iter()
            .flat_map(|kind| {
                kind.fields().iter().filter(move |field| is_number(kind, field)).map(move |field| bare(kind, field))
            })
            .collect();
        assert_eq!(found, NUMBERS);
    }
}
