//! A table as JSON Schema 2020-12, for OpenAPI documents.

use serde_json::{Map, Value, json};

use super::{Kind, Node, NodeKind, Shape};

impl Shape {
    /// The table as a JSON Schema. Rules about several fields are not in it: they have no place there.
    pub fn schema(&self) -> Value {
        self.root.schema()
    }
}

impl Node {
    /// The schema as a member: `null` is absent, so a value that may be absent may be null. Of objects and arrays only those say so that
    /// are sent as null.
    fn member_schema(&self) -> Value {
        let mut schema = self.schema();
        if self.nullable {
            return json!({"anyOf": [schema, {"type": "null"}]});
        }
        if self.required || !matches!(self.kind, NodeKind::Leaf(_)) {
            return schema;
        }
        if let Some(Value::String(only)) = schema.get("type").cloned() {
            schema["type"] = json!([only, "null"]);
        }
        if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
        schema
    }

    fn schema(&self) -> Value {
        match &self.kind {
            NodeKind::Leaf(kind) => kind.schema(),
            NodeKind::Object(members) => {
                let properties: Map<String, Value> =
                    members.iter().map(|(name, node)| (name.to_string(), node.member_schema())).collect();
                let required: Vec<&str> =
                    members.iter().filter(|(_, node)| node.required).map(|(name, _)| &**name).collect();
                let mut schema = json!({"type": "object"});
                if !properties.is_empty() {
                    schema["properties"] = Value::Object(properties);
                }
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                schema
            }
            NodeKind::Array { min, max, item } => {
                let mut schema = json!({"type": "array", "items": item.schema(), "maxItems": max});
                if *min > 0 {
                    schema["minItems"] = json!(min);
                }
                schema
            }
        }
    }
}

impl Kind {
    /// What can stand here, as a JSON Schema.
    pub fn schema(&self) -> Value {
        let text = |min: usize, max: usize| json!({"type": "string", "minLength": min, "maxLength": max});
        match self {
            Self::Any => json!({}),
            Self::Text { min, max } | Self::Blob { min, max } => text(*min, *max),
            Self::Matching { min, max, wanted, .. } => {
                let mut schema = text(*min, *max);
                schema["description"] = json!(wanted);
                schema
            }
            Self::JsonText { max } => {
                json!({"type": "string", "minLength": 1, "maxLength": max, "contentMediaType": "application/json"})
            }
            Self::Int { min, max } => {
                let mut schema = json!({"type": "integer", "format": "int64"});
                if *min > i64::MIN {
                    schema["minimum"] = json!(min);
                }
                if *max < i64::MAX {
                    schema["maximum"] = json!(max);
                }
                schema
            }
            Self::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
            Self::Bool => json!({"type": "boolean"}),
            Self::OneOf(values) => json!({"type": "string", "enum": values}),
            Self::Open => text(1, 255),
            Self::Currency => {
                json!({"type": "string", "pattern": "^[A-Za-z]{3}$", "description": "ISO 4217", "examples": ["EUR"]})
            }
            Self::Country => {
                json!({"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "ISO 3166-1 alpha-2", "examples": ["DE"]})
            }
            Self::Timestamp => {
                json!({"type": "string", "format": "date-time", "examples": ["2026-03-02T10:00:00Z"]})
            }
            Self::Moment => {
                json!({"type": "string", "description": self.wanted(), "examples": ["2026-03-02T10:00:00Z"]})
            }
            Self::Date => json!({"type": "string", "format": "date", "examples": ["2026-03-02"]}),
            Self::Duration { wanted, .. } => json!({"type": "string", "format": "duration", "description": wanted}),
            Self::Url { .. } | Self::AppUrl | Self::WebhookUrl => {
                json!({"type": "string", "format": "uri", "maxLength": 2048, "description": self.wanted(),
                    "examples": ["https://shop.example/"]})
            }
            Self::Email => {
                json!({"type": "string", "format": "email", "maxLength": 255, "examples": ["ada@shop.example"]})
            }
            Self::Phone => {
                let mut schema = text(1, 99);
                schema["examples"] = json!(["+46700000000"]);
                schema
            }
            Self::Locale => {
                json!({"type": "string", "pattern": "^[A-Za-z]{2,3}-[A-Za-z]{2}$", "examples": ["en-GB"]})
            }
            Self::Ip => json!({"type": "string", "description": "IPv4 or IPv6", "examples": ["203.0.113.7"]}),
            Self::Id(_) => json!({"type": "string", "minLength": 1, "description": self.wanted()}),
            Self::Object => json!({"type": "object"}),
            Self::Array { min, max } => json!({"type": "array", "minItems": min, "maxItems": max}),
        }
    }
}
