//! The tables of all bodies as components: each under its name, and what several have in common once.
//!
//! A table is a component by its name (`create_payment_request` is `CreatePaymentRequest`). An object inside a table that
//! stands in another place, too, member for member, becomes a component by the name of the member that holds it
//! (`line_items` holds `LineItem`). Everything else stays where it is.

use std::collections::BTreeMap;

use protocol::Shape;
use serde_json::{Map, Value, json};

use super::glossary;

/// Objects with fewer members are easier to read where they stand.
const MEMBERS_MIN: usize = 2;

/// Components, and which schema each of them is.
pub struct Schemas {
    /// By name, whole: without references.
    whole: BTreeMap<String, Value>,
    /// Canonical text of a schema to the name that stands for it inside others.
    names: BTreeMap<String, String>,
}

impl Schemas {
    /// The components of these tables. A table without a name has no component.
    pub fn of(shapes: impl IntoIterator<Item = &'static Shape>) -> Self {
        let mut whole: BTreeMap<String, Value> = BTreeMap::new();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for shape in shapes {
            let schema = shape.schema();
            if !is_hoistable(&schema) {
                continue;
            }
            let name = free_name(&whole, pascal(shape.name()), &schema);
            names.entry(schema.to_string()).or_insert_with(|| name.clone());
            whole.insert(name, schema);
        }
        let mut seen: BTreeMap<String, (usize, String, Value)> = BTreeMap::new();
        for schema in whole.values() {
            // Within one table, too: several addresses are one thing.
            visit(schema, "", &mut |member, object| {
                let found = seen.entry(object.to_string());
                found.or_insert_with(|| (0, member.to_owned(), object.clone())).0 += 1;
            });
        }
        // The longest first: an address is named by what holds it most often, a container before its parts.
        for (text, (count, member, schema)) in seen {
            if count > 1 && !names.contains_key(&text) {
                let name = free_name(&whole, pascal(&singular(&member)), &schema);
                names.insert(text, name.clone());
                whole.insert(name, schema);
            }
        }
        Self { whole, names }
    }

    /// The schema of a table: a reference to its component, or in place if it has none.
    pub fn schema(&self, shape: &Shape) -> Value {
        let schema = shape.schema();
        let name = pascal(shape.name());
        let own = self.whole.range(name.clone()..).take_while(|(known, _)| known.starts_with(&name));
        match own.into_iter().find(|(_, whole)| **whole == schema) {
            Some((name, _)) => reference(name),
            None => self.inside(&schema),
        }
    }

    /// All components, each with references to the others.
    pub fn components(&self) -> Map<String, Value> {
        let mut components = Map::new();
        for (name, schema) in &self.whole {
            components.insert(name.clone(), self.members(schema));
        }
        components
    }

    /// A schema that stands inside another: a reference if it has a name.
    fn inside(&self, schema: &Value) -> Value {
        if is_hoistable(schema)
            && let Some(name) = self.names.get(&schema.to_string())
        {
            return reference(name);
        }
        self.members(schema)
    }

    fn members(&self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        if let Some(items) = schema.get("items") {
            schema["items"] = self.inside(items);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            schema["anyOf"] = choices.iter().map(|choice| self.inside(choice)).collect();
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let described = properties.iter().map(|(name, member)| {
                let mut member = self.inside(member);
                if let Some(entry) = glossary::entry(name) {
                    let own = member["description"].as_str().map(str::to_owned);
                    member["description"] = match own {
                        // What would pass still says something that the name does not.
                        Some(own) if !member["format"].is_string() => json!(format!("{} Must be {own}.", entry.text)),
                        _ => json!(entry.text),
                    };
                    if let Some(example) =
                        entry.example.filter(|_| member["type"] == "string" || member["type"][0] == "string")
                    {
                        member["examples"] = json!([example]);
                    }
                }
                (name.clone(), member)
            });
            schema["properties"] = Value::Object(described.collect());
        }
        schema
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn is_hoistable(schema: &Value) -> bool {
    schema["properties"].as_object().is_some_and(|members| members.len() >= MEMBERS_MIN)
}

/// Calls `found` with every object inside a schema and the member that holds it, outer ones first.
fn visit(schema: &Value, holder: &str, found: &mut impl FnMut(&str, &Value)) {
    if !holder.is_empty() && is_hoistable(schema) {
        found(holder, schema);
    }
    if let Some(items) = schema.get("items") {
        visit(items, holder, found);
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        visit(choice, holder, found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        visit(member, name, found);
    }
}

/// The name, or with a number if another schema has it.
fn free_name(taken: &BTreeMap<String, Value>, name: String, schema: &Value) -> String {
    let numbered = (1..).map(|number| if number == 1 { name.clone() } else { format!("{name}{number}") });
    let mut free = numbered.filter(|name| taken.get(name).is_none_or(|known| known == schema));
    free.next().unwrap_or_default()
}

/// `line_item` as `LineItem`.
fn pascal(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(['_', '-']) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.extend(letters);
    }
    text
}

/// Of `line_items`, `line_item`; of `addresses`, `address`.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    if let Some(stem) = name.strip_suffix("es").filter(|stem| stem.ends_with("ss")) {
        return stem.to_owned();
    }
    match name.strip_suffix('s') {
        Some(stem) if !stem.ends_with('s') && !stem.ends_with('u') => stem.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::shape::{Kind, Row};

    protocol::shapes! {
        /// One with an address.
        first_thing = [
            Row::new("home.city", Kind::Open), Row::new("home.street", Kind::Open), Row::new("alone.a", Kind::Bool), Row::new("alone.b", Kind::Bool),
        ], &[];
        /// Another with the same.
        second_thing = [
            Row::new("homes[].city", Kind::Open), Row::new("homes[].street", Kind::Open), Row::new("other", Kind::Bool),
        ], &[];
    }

    #[test]
    fn what_stands_twice_is_one_component_and_what_stands_once_stays() {
        let schemas = Schemas::of([first_thing(), second_thing()]);
        let components = schemas.components();
        let names: Vec<&str> = components.keys().map(String::as_str).collect();
        assert_eq!(names, ["FirstThing", "Home", "SecondThing"]);
        assert_eq!(components["FirstThing"]["properties"]["home"]["$ref"], "#/components/schemas/Home");
        assert_eq!(components["SecondThing"]["properties"]["homes"]["items"]["$ref"], "#/components/schemas/Home");
        assert_eq!(components["FirstThing"]["properties"]["alone"]["type"], "object");
        assert_eq!(schemas.schema(first_thing())["$ref"], "#/components/schemas/FirstThing");
    }

    #[test]
    fn names_are_made_of_words() {
        let made = |name: &str| pascal(&singular(name));
        assert_eq!(
            ["line_items", "addresses", "address", "categories", "status", "klarna_customer"].map(made),
            ["LineItem", "Address", "Address", "Category", "Status", "KlarnaCustomer"]
        );
    }
}
