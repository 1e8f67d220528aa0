//! Schemas in words: fields as paths, their types, and values that fit.

use serde_json::{Map, Value, json};

/// Fields inside fields are listed down to this depth.
const DEPTH_MAX: usize = 6;

/// What a list of fields does where a schema refers to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Components {
    /// Shows its members in place.
    Unfolded,
    /// Names it.
    Linked,
}

pub(super) struct Field {
    pub name: String,
    pub kind: String,
    /// The component that the field holds, if it is not unfolded.
    pub component: Option<String>,
    pub required: bool,
    pub description: String,
}

impl Field {
    pub fn of_parameter(document: &Value, parameter: &Value) -> Self {
        let place = match text(&parameter["in"]) {
            "path" => "in the path",
            "query" => "in the query",
            _ => "header",
        };
        Self {
            name: text(&parameter["name"]).to_owned(),
            kind: format!("{}, {place}", kind(document, &parameter["schema"])),
            component: None,
            required: parameter["required"].as_bool().unwrap_or(false),
            description: text(&parameter["description"]).to_owned(),
        }
    }

    /// The members of a schema, and theirs, as paths.
    pub fn of_schema(document: &Value, schema: &Value, components: Components) -> Vec<Self> {
        let mut list = List { document, components, above: Vec::new(), fields: Vec::new() };
        list.collect(schema, "", 0);
        list.fields
    }
}

struct List<'a> {
    document: &'a Value,
    components: Components,
    above: Vec<&'a str>,
    fields: Vec<Field>,
}

impl<'a> List<'a> {
    fn collect(&mut self, schema: &'a Value, prefix: &str, depth: usize) {
        let reference = schema["$ref"].as_str();
        // A schema inside itself is listed once.
        if depth > DEPTH_MAX || reference.is_some_and(|name| self.above.contains(&name)) {
            return;
        }
        self.above.extend(reference);
        for part in parts(self.document, schema) {
            if let Some(items) = part.get("items") {
                self.inside(items, &format!("{prefix}[]"), depth);
            }
            let required: Vec<&str> =
                part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut members: Vec<_> = part["properties"].as_object().into_iter().flatten().collect();
            members.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
            for (name, member) in members {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                let linked = (self.components == Components::Linked).then(|| component(member)).flatten();
                self.fields.push(Field {
                    kind: kind(self.document, member),
                    component: linked.map(str::to_owned),
                    required: required.contains(&name.as_str()),
                    description: description(self.document, member).to_owned(),
                    name: path.clone(),
                });
                self.inside(member, &path, depth);
            }
        }
        if reference.is_some() {
            self.above.pop();
        }
    }

    /// What stands in a member or an entry, unless it is linked. A bare list's entries are always shown.
    fn inside(&mut self, schema: &'a Value, path: &str, depth: usize) {
        if self.components == Components::Unfolded || path == "[]" || component(schema).is_none() {
            self.collect(schema, path, depth + 1);
        }
    }
}

/// The component that a schema, or its entries, refer to.
fn component(schema: &Value) -> Option<&str> {
    let reference = schema["$ref"].as_str().or_else(|| schema["items"]["$ref"].as_str())?;
    reference.strip_prefix("#/components/schemas/")
}

/// What a schema consists of: itself, or the parts of its combinations that are not null.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolve(document, schema);
    let mut found = vec![schema];
    for combination in ["allOf", "oneOf", "anyOf"] {
        for part in schema[combination].as_array().into_iter().flatten() {
            if part["type"] != "null" {
                found.push(resolve(document, part));
            }
        }
    }
    found
}

pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn description<'a>(document: &'a Value, schema: &'a Value) -> &'a str {
    let own = schema["description"].as_str();
    own.or_else(|| parts(document, schema).into_iter().find_map(|part| part["description"].as_str()))
        .unwrap_or_default()
}

/// A type in words, with its limits: `text, 1 to 255 characters`.
fn kind(document: &Value, schema: &Value) -> String {
    for part in parts(document, schema) {
        if let Some(values) = part["enum"].as_array() {
            return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
        }
        let types = match &part["type"] {
            Value::String(one) => one.as_str(),
            Value::Array(many) => many.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or_default(),
            _ => continue,
        };
        let name = match (types, part["format"].as_str()) {
            ("string", Some("date-time")) => "time".to_owned(),
            ("string", Some("uri")) => "url".to_owned(),
            ("string", Some("uuid")) => "uuid".to_owned(),
            ("string", _) => "text".to_owned(),
            ("integer", _) => "integer".to_owned(),
            ("boolean", _) => "true or false".to_owned(),
            ("array", _) => format!("list of {}", kind(document, &part["items"])),
            (other, _) => other.to_owned(),
        };
        let bounds =
            [("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"), ("minimum", "maximum", "")];
        let limits = bounds.iter().find_map(|(low, high, unit)| match (part[low].as_i64(), part[high].as_i64()) {
            (Some(low), Some(high)) => Some(format!(", {low} to {high}{unit}")),
            (None, Some(high)) => Some(format!(", at most {high}{unit}")),
            (Some(low), None) => Some(format!(", at least {low}{unit}")),
            (None, None) => None,
        });
        return name + &limits.unwrap_or_default();
    }
    "anything".to_owned()
}

/// A value that fits a schema: its example, or its required members.
pub(super) fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let all = parts(document, schema);
    for part in std::iter::once(schema).chain(all.iter().copied()) {
        for example in [&part["example"], &part["examples"][0], &part["default"], &part["enum"][0]] {
            if !example.is_null() {
                return example.clone();
            }
        }
    }
    let mut object = Map::new();
    for part in &all {
        let types = part["type"].as_str().or_else(|| part["type"][0].as_str()).unwrap_or_default();
        match types {
            "string" if part["format"] == "date-time" => return json!("2026-03-02T10:00:00Z"),
            "string" if part["format"] == "uri" => return json!("https://shop.example/"),
            "string" => return json!("…"),
            "integer" | "number" => return part.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            "boolean" => return json!(true),
            "array" => return json!([sample(document, &part["items"], depth + 1)]),
            _ => {}
        }
        for name in part["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            object.insert(name.to_owned(), sample(document, &part["properties"][name], depth + 1));
        }
    }
    Value::Object(object)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_members_are_paths_and_a_schema_inside_itself_ends() {
        let document = json!({"components": {"schemas": {
            "Node": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 9, "description": "Its name."},
                "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
            }},
        }}});
        let schema = json!({"$ref": "#/components/schemas/Node"});
        for components in [Components::Unfolded, Components::Linked] {
            let fields = Field::of_schema(&document, &schema, components);
            let listed: Vec<_> =
                fields.iter().map(|field| (field.name.as_str(), field.kind.as_str(), field.required)).collect();
            assert_eq!(listed, [("name", "text, at most 9 characters", true), ("children", "list of object", false)]);
            assert_eq!(fields[1].component.as_deref(), (components == Components::Linked).then_some("Node"));
        }
    }

    #[test]
    fn a_linked_component_is_named_and_not_unfolded() {
        let document =
            json!({"components": {"schemas": {"Part": {"type": "object", "properties": {"a": {"type": "boolean"}}}}}});
        let schema = json!({"type": "object", "properties": {
            "part": {"$ref": "#/components/schemas/Part", "description": "One."},
            "own": {"type": "object", "properties": {"b": {"type": "boolean"}}},
        }});
        let names = |components| -> Vec<String> {
            Field::of_schema(&document, &schema, components).into_iter().map(|field| field.name).collect()
        };
        assert_eq!(names(Components::Linked), ["own", "own.b", "part"]);
        assert_eq!(names(Components::Unfolded), ["own", "own.b", "part", "part.a"]);
    }
}
