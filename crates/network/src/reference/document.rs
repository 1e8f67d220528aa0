//! The OpenAPI 3.1 document.

use serde_json::{Map, Value, json};

use crate::operation::{Content, Doc, Param, Route, Who};

/// The document of these operations, for a network end that is reached at `server`. Every operation stands at its present path;
/// the others that it answers at are told in its description.
pub fn document(server: &str, sections: &[(&'static str, Vec<Route>)]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (section, routes) in sections {
        for route in routes {
            let Some(template) = route.templates.first() else { continue };
            let item = paths.entry(template.clone()).or_insert_with(|| json!({}));
            item[route.method.as_str().to_lowercase()] = operation(section, template, route);
        }
    }
    let tags: Vec<Value> = sections.iter().map(|(name, _)| json!({"name": name})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kontor network end",
            "summary": "A test environment for integrations with the Klarna Network.",
            "description": "The operations of the Klarna Network as this test environment serves them, and its own controls under `/testing`. Kontor is not affiliated with Klarna.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"api_key": []}],
        "tags": tags,
        "paths": paths,
        "components": components(),
    })
}

fn operation(section: &str, template: &str, route: &Route) -> Value {
    let doc = &route.doc;
    let mut parameters: Vec<Value> = parameters_of(template)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect();
    parameters.extend(doc.query.iter().map(query));
    parameters.extend(
        doc.headers
            .iter()
            .map(|name| json!({"name": name, "in": "header", "schema": {"type": "string", "maxLength": 6144}})),
    );
    parameters.push(json!({"$ref": "#/components/parameters/PartnerCorrelationId"}));
    if matches!(route.method.as_str(), "POST" | "PATCH" | "PUT") {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    let mut operation = json!({
        "operationId": doc.id,
        "tags": [section],
        "summary": doc.summary,
        "description": description(route),
        "parameters": parameters,
        "responses": responses(doc),
    });
    if let Some((taken, required)) = &doc.takes
        && let Some(content) = content(taken)
    {
        operation["requestBody"] = json!({"required": required, "content": content});
    }
    operation
}

fn description(route: &Route) -> String {
    let who = match route.who {
        Who::Anyone => "A Partner may call it for itself, an Acquiring Partner also for those under it.",
        Who::AcquiringPartner => "For Acquiring Partners.",
    };
    let mut text = format!("{who} Source of the facts: {}.", route.doc.source.mark());
    if let [_, others @ ..] = &route.templates[..]
        && !others.is_empty()
    {
        let others: Vec<String> = others.iter().map(|template| format!("`{template}`")).collect();
        text.push_str(&format!(" Also at {}.", others.join(", ")));
    }
    text
}

/// The names of the parameters in a template.
fn parameters_of(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn query(param: &Param) -> Value {
    let schema = param.kind.schema();
    let schema = if param.many { json!({"type": "array", "items": schema}) } else { schema };
    json!({"name": param.name, "in": "query", "required": param.required, "schema": schema})
}

fn content(content: &Content) -> Option<Value> {
    match content {
        Content::Nothing => None,
        Content::Json(shape) => Some(json!({"application/json": {"schema": shape().schema()}})),
        Content::JsonArray(shape) => {
            Some(json!({"application/json": {"schema": {"type": "array", "items": shape().schema()}}}))
        }
        Content::Other(media_type) => Some(json!({*media_type: {}})),
    }
}

fn responses(doc: &Doc) -> Value {
    let mut responses = Map::new();
    for (status, answer) in &doc.answers {
        let mut response = json!({"description": "Done."});
        if let Some(content) = content(answer) {
            response["content"] = content;
        }
        responses.insert(status.to_string(), response);
    }
    let refusals = [
        ("400", "Invalid"),
        ("401", "Unauthorized"),
        ("403", "Forbidden"),
        ("404", "NotFound"),
        ("409", "Conflict"),
        ("429", "RateLimited"),
    ];
    for (status, name) in refusals {
        responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    Value::Object(responses)
}

fn components() -> Value {
    let error = |description: &str| json!({"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    json!({
        "securitySchemes": {"api_key": {"type": "http", "scheme": "basic", "description": "Empty user name, the API key as password; or the key alone behind `Basic`."}},
        "parameters": {
            "IdempotencyKey": {"name": "Klarna-Idempotency-Key", "in": "header", "description": "The same for every repetition of one call.", "schema": {"type": "string", "minLength": 1, "maxLength": 255}},
            "PartnerCorrelationId": {"name": "Partner-Correlation-Id", "in": "header", "description": "Comes back as it was sent.", "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"}},
        },
        "responses": {
            "Invalid": error("The request is wrong; `validation_errors` names every field at fault."),
            "Unauthorized": error("The credentials are missing, malformed, disabled or of another environment."),
            "Forbidden": error("Not allowed for this caller, or not in this state."),
            "NotFound": error("Absent, or somebody else's."),
            "Conflict": error("Contradicts something that is there."),
            "RateLimited": error("Too many requests of this category."),
        },
        "schemas": {
            "Error": {
                "type": "object",
                "required": ["error_id", "error_type", "error_code", "error_message"],
                "properties": {
                    "error_id": {"type": "string", "format": "uuid"},
                    "error_type": {"type": "string"},
                    "error_code": {"type": "string"},
                    "error_message": {"type": "string"},
                    "validation_errors": {"type": "array", "items": {
                        "type": "object",
                        "required": ["parameter", "reason"],
                        "properties": {"parameter": {"type": "string"}, "reason": {"type": "string"}, "doc_url": {"type": "string", "format": "uri"}},
                    }},
                    "doc_url": {"type": "string", "format": "uri"},
                },
            },
        },
    })
}
