//! The OpenAPI 3.1 document.

use std::collections::BTreeSet;

use http::Method;
use protocol::{ErrorCode, ErrorType, Shape};
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use super::{examples, glossary, webhooks};
use crate::operation::{Category, Content, Doc, Param, Route, Source, Who};

/// A header with its name is at most 6 KB (RULINGS 1.6).
const HEADER_LENGTH_MAX: u32 = 6000;

/// The tag of what this end calls.
pub(super) const EVENTS: &str = "Events";

/// The document of these operations, for a network end that is reached at `server`. Every operation stands at its present path;
/// the others that it answers at are told in its description.
pub fn document(server: &str, sections: &[(&'static str, Vec<Route>)]) -> Value {
    let all = || sections.iter().flat_map(|(_, routes)| routes);
    let schemas = Schemas::of(all().flat_map(shapes_of).chain(webhooks::shapes()));
    let mut paths: Map<String, Value> = Map::new();
    for (section, routes) in sections {
        for route in routes {
            let Some(template) = route.templates.first() else { continue };
            let item = paths.entry(template.clone()).or_insert_with(|| json!({}));
            item[route.method.as_str().to_lowercase()] = operation(section, template, route, &schemas);
        }
    }
    let described = |name: &str| match section_text(name) {
        "" => json!({"name": name}),
        text => json!({"name": name, "description": text}),
    };
    let used = sections.iter().filter(|(_, routes)| !routes.is_empty());
    let tags: Vec<Value> = used.map(|(name, _)| described(name)).chain([described(EVENTS)]).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kontor network end",
            "summary": "A test environment for integrations with the Klarna Network.",
            "description": "The operations of the Klarna Network as this test environment serves them, and its own controls under `/testing`. Kontor is not affiliated with Klarna.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server, "description": "This network end"}],
        "security": [{"api_key": []}, {"api_key": [], "client_certificate": []}],
        "tags": tags,
        "paths": paths,
        "webhooks": webhooks::webhooks(&schemas),
        "components": components(&schemas),
    })
}

/// What a section is about.
fn section_text(name: &str) -> &'static str {
    match name {
        "Credentials" => "API keys, client identifiers, certificates, SFTP users, and from where they may be used.",
        "Accounts" => {
            "Partners from onboarding on: their products, brands, stores, business entities, payment accounts."
        }
        "Programs and pricing" => "What can be offered to customers, and what it costs.",
        "Portal" => "Links into the portal.",
        "Notifications" => "Who is told of events, and the keys that deliveries are signed with.",
        "Payments" => "Payment Requests, authorization, Payment Transactions, captures and refunds.",
        "Identity and interoperability" => "Customer tokens, session tokens, and what is known of a customer.",
        "Presentation and messaging" => "How Klarna is shown before a purchase.",
        "Disputes" => "What customers object to, in both generations.",
        "Settlements" => "What the Acquiring Partner is paid: reports, transactions, payouts.",
        "Test controls" => "Not the network's: the clock, events, deliveries and decisions of this test environment.",
        EVENTS => "What is sent to the url of a webhook.",
        _ => "",
    }
}

/// The tables of a route's bodies. What takes or gives anything has no table.
fn shapes_of(route: &Route) -> Vec<&'static Shape> {
    let contents = route.doc.takes.iter().map(|(content, _)| content);
    let contents = contents.chain(route.doc.answers.iter().map(|(_, content)| content));
    let shape = |content: &Content| match content {
        Content::Json(shape) | Content::JsonArray(shape) => Some(shape()),
        Content::Nothing | Content::Other(_) => None,
    };
    contents.filter_map(shape).collect()
}

fn operation(section: &str, template: &str, route: &Route, schemas: &Schemas) -> Value {
    let doc = &route.doc;
    let mut parameters: Vec<Value> = parameters_of(template).map(path_parameter).collect();
    parameters.extend(doc.query.iter().map(query));
    parameters.extend(doc.headers.iter().map(|name| header_parameter(name)));
    parameters.push(json!({"$ref": "#/components/parameters/PartnerCorrelationId"}));
    parameters.push(json!({"$ref": "#/components/parameters/IntegrationMetadata"}));
    if writes(&route.method) && route.method != Method::DELETE {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    let mut operation = json!({
        "operationId": doc.id,
        "tags": [section],
        "summary": doc.summary,
        "description": description(route),
        "parameters": parameters,
        "responses": responses(template, route, schemas),
        "x-source": doc.source.mark(),
    });
    if let [_, others @ ..] = &route.templates[..]
        && !others.is_empty()
    {
        operation["x-also-at"] = json!(others);
    }
    if let Some((taken, required)) = &doc.takes
        && let Some(mut content) = content(taken, schemas)
    {
        if let (Some(example), Some(json)) = (examples::body(route), content.get_mut("application/json")) {
            json["example"] = example;
        }
        operation["requestBody"] = json!({"required": required, "content": content});
    }
    operation
}

fn description(route: &Route) -> String {
    let who = match (route.doc.source, route.who) {
        (Source::Ours, _) => "A control of this test environment, not an operation of the Klarna Network.",
        (_, Who::Anyone) => "A Partner may call it for itself, an Acquiring Partner also for those under it.",
        (_, Who::AcquiringPartner) => "For Acquiring Partners.",
    };
    let mut text = who.to_owned();
    match route.doc.source {
        Source::Collection => text.push_str(" Known from Klarna's public request collection."),
        Source::Documented => text.push_str(" Known from Klarna's documentation."),
        Source::Inferred => text.push_str(" Inferred from its neighbours."),
        Source::Ours => {}
    }
    if let [_, others @ ..] = &route.templates[..]
        && !others.is_empty()
    {
        let others: Vec<String> = others.iter().map(|template| format!("`{template}`")).collect();
        text.push_str(&format!("\n\nAlso at {}.", others.join(", ")));
    }
    text
}

/// The names of the parameters in a template.
pub(super) fn parameters_of(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter_map(|segment| segment.split_once('{')?.1.split_once('}').map(|(name, _)| name))
}

fn path_parameter(name: &str) -> Value {
    let mut parameter =
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}});
    // An id whose meaning needs no more words than its name.
    parameter["description"] = json!(format!("The {}.", name.trim_end_matches("_id").replace('_', " ")));
    describe(&mut parameter, name);
    parameter
}

fn query(param: &Param) -> Value {
    let schema = param.kind.schema();
    let schema = if param.many { json!({"type": "array", "items": schema}) } else { schema };
    let mut parameter = json!({"name": param.name, "in": "query", "required": param.required, "schema": schema});
    describe(&mut parameter, param.name);
    parameter
}

fn describe(parameter: &mut Value, name: &str) {
    if let Some(entry) = glossary::entry(name) {
        parameter["description"] = json!(entry.text);
        if let Some(example) = entry.example {
            parameter["example"] = json!(example);
        }
    }
}

fn header_parameter(name: &str) -> Value {
    let text = match name.to_ascii_lowercase().as_str() {
        "klarna-network-session-token" => "What a completed Payment Request gave, or what recognises a customer.",
        "klarna-interoperability-token" => "The older name of `Klarna-Network-Session-Token`.",
        "klarna-payment-token" => "The oldest handle of the same grant.",
        "klarna-customer-token" => "Charges a customer who is not there.",
        "x-klarna-customer-token" => "The older name of `Klarna-Customer-Token`.",
        "klarna-partner-account" => "The account acted for, where the path does not name it.",
        "klarna-customer-region" => "Where the customer is: `krn:partner:eu1`, `us1` or `ap1`.",
        _ => "",
    };
    let mut parameter =
        json!({"name": name, "in": "header", "schema": {"type": "string", "maxLength": HEADER_LENGTH_MAX}});
    if !text.is_empty() {
        parameter["description"] = json!(text);
    }
    parameter
}

fn content(content: &Content, schemas: &Schemas) -> Option<Value> {
    match content {
        Content::Nothing => None,
        Content::Json(shape) => Some(json!({"application/json": {"schema": schemas.schema(shape())}})),
        Content::JsonArray(shape) => {
            Some(json!({"application/json": {"schema": {"type": "array", "items": schemas.schema(shape())}}}))
        }
        Content::Other(media_type) => Some(json!({*media_type: {}})),
    }
}

fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn done(status: u16) -> &'static str {
    match status {
        201 => "Made.",
        202 => "Taken; it is being worked on.",
        204 => "Done; there is nothing to say.",
        _ => "Done.",
    }
}

fn responses(template: &str, route: &Route, schemas: &Schemas) -> Value {
    let doc: &Doc = &route.doc;
    let limited = route.category != Category::Unlimited;
    let mut responses = Map::new();
    for (status, answer) in &doc.answers {
        let mut response = json!({"description": done(*status), "headers": answer_headers(limited)});
        if let Some(content) = content(answer, schemas) {
            response["content"] = content;
        }
        responses.insert(status.to_string(), response);
    }
    for (status, name) in refusals(template, route) {
        responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    Value::Object(responses)
}

/// The refusals that this operation can meet.
fn refusals(template: &str, route: &Route) -> Vec<(&'static str, &'static str)> {
    // A malformed correlation id is a 400 everywhere, a key without an account a 401.
    let mut refusals = vec![("400", "Invalid"), ("401", "Unauthorized"), ("500", "Failed"), ("503", "Unavailable")];
    let restricted = route.who == Who::AcquiringPartner || writes(&route.method);
    refusals.push(("403", if restricted { "Forbidden" } else { "ForbiddenAddress" }));
    // v1 names the account in a header; the rest in the path.
    let by_reference = |param: &Param| param.required && param.name.ends_with("_reference");
    let names_something = template.contains('{')
        || route.templates.iter().any(|other| other.starts_with("/v1/"))
        || route.doc.query.iter().any(by_reference);
    let takes_a_body = route.doc.takes.is_some();
    if names_something || takes_a_body {
        refusals.push(("404", "NotFound"));
    }
    if writes(&route.method) {
        refusals.push(("409", "Conflict"));
    }
    if takes_a_body {
        refusals.push(("413", "TooLarge"));
    }
    // Waiting for what does not come ends, too.
    if route.doc.source == Source::Ours && template.ends_with("/wait") {
        refusals.push(("408", "TimedOut"));
    }
    if route.category != Category::Unlimited {
        refusals.push(("429", "RateLimited"));
    }
    refusals.push(("431", "HeadersTooLarge"));
    refusals
}

fn answer_headers(limited: bool) -> Value {
    let mut names =
        vec![("Klarna-Correlation-Id", "CorrelationId"), ("Partner-Correlation-Id", "PartnerCorrelationId")];
    if limited {
        names.extend(LIMITS);
    }
    let header = |(name, component): (&str, &str)| {
        (name.to_owned(), json!({"$ref": format!("#/components/headers/{component}")}))
    };
    Value::Object(names.into_iter().map(header).collect())
}

const LIMITS: [(&str, &str); 3] = [
    ("X-RateLimit-Limit", "RateLimitLimit"),
    ("X-RateLimit-Remaining", "RateLimitRemaining"),
    ("X-RateLimit-Reset", "RateLimitReset"),
];

fn components(schemas: &Schemas) -> Value {
    let mut all = schemas.components();
    all.insert("Error".to_owned(), error_schema());
    json!({
        "securitySchemes": {
            "api_key": {"type": "http", "scheme": "basic", "description": "Empty user name, the API key as password; or the key alone behind `Basic`."},
            "client_certificate": {"type": "mutualTLS", "description": "Beside the key, never instead of it: a certificate that was made under `/v2/account/integration`. Needed once mTLS is enforced."},
        },
        "parameters": {
            "IdempotencyKey": {"name": "Klarna-Idempotency-Key", "in": "header", "description": "The same for every repetition of one call. The first success is remembered for 24 hours.", "schema": {"type": "string", "minLength": 1, "maxLength": 255}, "example": "6f1c2f0e-58a5-4f0f-9b0e-0a4f0d0c7a11"},
            "PartnerCorrelationId": {"name": "Partner-Correlation-Id", "in": "header", "description": "Comes back as it was sent.", "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"}, "example": "order-77"},
            "IntegrationMetadata": {"name": "Klarna-Integration-Metadata", "in": "header", "description": "Who calls with what, as a JSON document. What is wrong with it is noted and never refused.", "schema": {"type": "string", "maxLength": HEADER_LENGTH_MAX}},
        },
        "headers": {
            "CorrelationId": {"description": "Of this call; quote it when you ask for help.", "schema": {"type": "string", "format": "uuid"}},
            "PartnerCorrelationId": {"description": "As it was sent.", "schema": {"type": "string"}},
            "RateLimitLimit": {"description": "The nearest limit, then every level's with its window in seconds and its name.", "schema": {"type": "string"}},
            "RateLimitRemaining": {"description": "Calls left in this window.", "schema": {"type": "integer"}},
            "RateLimitReset": {"description": "Seconds until the window ends.", "schema": {"type": "integer"}},
        },
        "responses": error_responses(),
        "schemas": all,
    })
}

fn error_responses() -> Value {
    let answer = |description: &str, code: ErrorCode, faults: Value| {
        let mut example = json!({"error_id": "0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de", "error_type": code.error_type(), "error_code": code,
            "error_message": "In words, for a developer; may change."});
        if !faults.is_null() {
            example["validation_errors"] = faults;
        }
        json!({"description": description, "headers": answer_headers(false),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": example}}})
    };
    let plain = |description: &str, code: ErrorCode| answer(description, code, Value::Null);
    let fault = json!([{"parameter": "supplementary_purchase_data.line_items[0].quantity", "reason": "must be an integer of at least 1, was 0"}]);
    let mut responses = json!({
        "Invalid": answer("The request is wrong; `validation_errors` names every field at fault.", ErrorCode::ValidationError, fault),
        "Unauthorized": plain("The credentials are missing, malformed, disabled or of another environment, or the enforced certificate is missing.", ErrorCode::Unauthorized),
        "Forbidden": plain("Not for this caller or this address, or not in this state.", ErrorCode::OperationForbidden),
        "ForbiddenAddress": plain("Not from this address, where a list of addresses is enforced.", ErrorCode::OperationForbidden),
        "NotFound": plain("Absent, or somebody else's.", ErrorCode::ResourceNotFound),
        "Conflict": plain("Contradicts something that is there: a duplicate reference, a state, or the first call under this idempotency key.", ErrorCode::ResourceConflict),
        "TimedOut": plain("What was waited for did not come in time.", ErrorCode::Timeout),
        "TooLarge": plain("The body is larger than 1 MB.", ErrorCode::ValidationError),
        "RateLimited": plain("Too many calls of this category.", ErrorCode::RateLimited),
        "HeadersTooLarge": plain("A header is larger than 6 KB, or all are larger than 20 KB.", ErrorCode::ValidationError),
        "Failed": plain("A fault of this end; repeat with the same idempotency key.", ErrorCode::InternalError),
        "Unavailable": plain("Not available at the moment; repeat later with the same idempotency key.", ErrorCode::TemporaryUnavailable),
    });
    responses["RateLimited"]["headers"] = answer_headers(true);
    responses
}

fn error_schema() -> Value {
    let codes: BTreeSet<&str> = ErrorCode::KNOWN_TEXTS.iter().copied().collect();
    json!({
        "type": "object",
        "description": "Why a call was refused.",
        "required": ["error_id", "error_type", "error_code", "error_message"],
        "properties": {
            "error_id": {"type": "string", "format": "uuid", "description": "Names this one refusal; quote it when you ask for help."},
            "error_type": {"type": "string", "enum": ErrorType::KNOWN_TEXTS, "description": "Who has to act."},
            "error_code": {"type": "string", "enum": codes, "description": "With the status, what to decide on."},
            "error_message": {"type": "string", "description": "For a developer; may change."},
            "validation_errors": {"type": "array", "description": "Every field at fault.", "items": {
                "type": "object",
                "required": ["parameter", "reason"],
                "properties": {
                    "parameter": {"type": "string", "description": "Its path, or the name of a header or query parameter."},
                    "reason": {"type": "string", "description": "What is wrong, and what would pass."},
                    "doc_url": {"type": "string", "format": "uri", "description": "Where to read more."},
                },
            }},
            "doc_url": {"type": "string", "format": "uri", "description": "Where to read more."},
        },
    })
}
