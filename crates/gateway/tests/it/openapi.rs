//! The OpenAPI document: pinned, consistent in itself, and true: each operation refuses whom it says that it refuses.

use axum::body::Body;
use gateway::reference::document;
use http::Request;
use serde_json::Value;

use crate::stage::{self, Stage, method};

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in document::METHODS {
            if let Some(operation) = item.get(method) {
                found.push((method.to_owned(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference),
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_as_it_was_pinned() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&document::document("https://gateway.example")).unwrap());
}

#[test]
fn every_reference_resolves_and_every_operation_is_whole() {
    let document = document::document("https://gateway.example");
    assert_eq!(document["openapi"], "3.1.0");
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 20);
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} points elsewhere"));
        assert!(document.pointer(pointer).is_some(), "{reference} does not resolve");
    }
    let mut ids = std::collections::BTreeSet::new();
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no operationId"));
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no summary");
        assert!(tags.contains(&operation["tags"][0].as_str().unwrap()), "{name} has an unknown tag");
        assert!(operation["security"].is_array(), "{name} says nothing about security");
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2') || status.starts_with('3')),
            "{name} never succeeds"
        );
        assert!(responses.contains_key("500"), "{name} never fails");
        for (status, response) in
            responses.iter().filter(|(status, _)| status.starts_with('4') || status.starts_with('5'))
        {
            let response = response["$ref"].as_str().map_or(response, |link| document.pointer(&link[1..]).unwrap());
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Error", "{name} {status}");
        }
        let in_path = path.matches('{').count();
        let declared =
            operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path").count();
        assert_eq!(in_path, declared, "{name}: path parameters");
    }
}

#[tokio::test]
async fn every_operation_for_partners_refuses_a_request_without_a_valid_key_and_hides_what_is_anothers() {
    let stage: Stage = stage::stages().await.remove(0);
    let partner = stage.partner("MQ7R2T9A").await;
    let operator = stage.operator().await;
    let document = document::document("https://gateway.example");
    for (verb, path, operation) in operations(&document) {
        let public = operation["security"].as_array().unwrap().is_empty();
        assert_eq!(public, !path.starts_with("/v1/"), "{verb} {path}: only /v1 is for Partners");
        if public {
            continue;
        }
        let target =
            path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect::<Vec<_>>().join("/");
        // Operators' routes are closed to Partners, and the other way round.
        let is_operators = operation["security"][0].get("operator_key").is_some();
        assert_eq!(is_operators, path.starts_with("/v1/partner"), "{verb} {path}");
        let (caller, other) = if is_operators { (&operator, &partner) } else { (&partner, &operator) };
        let others = format!("Bearer {}", other.key);
        let wrong = [
            "Bearer nonsense",
            "Bearer kontor_sk_abcdefghij012345_x",
            "Bearer kontor_op_abcdefghij012345_x",
            "Basic Og==",
            &others,
        ];
        for key in [None].into_iter().chain(wrong.into_iter().map(Some)) {
            let mut request = Request::builder().method(method(&verb)).uri(&target).header("idempotency-key", "k");
            if let Some(key) = key {
                request = request.header("authorization", key);
            }
            let answer = stage.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{verb} {path} with {key:?}");
            assert_eq!(answer.body["error_code"], "UNAUTHORIZED");
        }
        if path.contains('{') && matches!(verb.as_str(), "get" | "delete") {
            let answer = stage.call(caller, &verb.to_uppercase(), &target, None).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["error_code"]),
                (404, &"RESOURCE_NOT_FOUND".into()),
                "{verb} {path}"
            );
        }
        if matches!(verb.as_str(), "post" | "patch") {
            let request = Request::builder()
                .method(method(&verb))
                .uri(&target)
                .header("authorization", format!("Bearer {}", caller.key))
                .header("content-type", "application/json");
            let answer = stage.send(request.body(Body::from("{}")).unwrap()).await;
            let named = answer.body["validation_errors"].as_array().cloned().unwrap_or_default();
            assert_eq!(answer.status, 400, "{verb} {path} without an idempotency key: {}", answer.text);
            assert!(
                named.iter().any(|fault| fault["parameter"] == "Idempotency-Key"),
                "{verb} {path}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let stage = stage::stages().await.remove(0);
    let get = |path: &str| stage.send(Request::get(path).body(Body::empty()).unwrap());
    let served = get("/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(served.body, document::document("https://gateway.example"));
    let page = get("/docs").await;
    assert_eq!(page.status, 200);
    for (_, path, operation) in operations(&served.body) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.text.contains(&format!("id=\"{id}\"")) && page.text.contains(&path), "{id}");
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    assert!(!page.text.contains("style=\"") && !page.text.contains("<style") && !page.text.contains("src=\"http"));
    for word in ["whsec_", "Idempotency-Key", "starting_after", "VALIDATION_ERROR", "curl"] {
        assert!(page.text.contains(word), "{word}");
    }
    // What the page links to exists.
    for link in page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(page.text.contains(&format!("id=\"{anchor}\"")), "{link}"),
            None => assert_eq!(get(link).await.status, 200, "{link}"),
        }
    }
    let again =
        Request::get("/docs").header("if-none-match", page.headers["etag"].clone()).body(Body::empty()).unwrap();
    assert_eq!(stage.send(again).await.status, 304);
    let absent = get("/docs/nonesuch").await;
    assert_eq!(absent.status, 404);
    assert!(absent.text.starts_with("<!DOCTYPE html>") && absent.text.contains("No such page"), "{}", absent.text);
}

#[tokio::test]
async fn every_example_of_a_body_works_as_it_is_printed() {
    let scene = crate::harness::scenes().await.remove(0);
    let document = document::document("https://gateway.example");
    let example = |schema: &str| document["components"]["schemas"][schema]["example"].clone();
    let made = scene.post("/v1/payments", example("CreatePaymentBody")).await;
    assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &"REQUIRES_CUSTOMER_ACTION".into()), "{}", made.text);
    let path = format!("/v1/payments/{}", made.body["id"].as_str().unwrap());
    let changed = scene.stage.call(&scene.ada, "PATCH", &path, Some(example("UpdatePaymentBody"))).await;
    assert_eq!(changed.status, 200, "{}", changed.text);

    let opened = scene.post("/v1/checkout-sessions", example("CreateCheckoutSessionBody")).await;
    assert_eq!((opened.status.as_u16(), &opened.body["state"]), (201, &"OPEN".into()), "{}", opened.text);

    let opened = scene.post("/v1/payment-links", example("CreatePaymentLinkBody")).await;
    assert_eq!((opened.status.as_u16(), &opened.body["state"]), (201, &"OPEN".into()), "{}", opened.text);
    let till = scene.post("/v1/tills", example("CreateTillBody")).await;
    assert_eq!((till.status.as_u16(), &till.body["refunds"]), (201, &true.into()), "{}", till.text);

    let authorized = scene.authorized(4_990).await;
    for (name, schema) in [("captures", "CreateCaptureBody"), ("refunds", "CreateRefundBody")] {
        let done = scene.post(&format!("/v1/payments/{authorized}/{name}"), example(schema)).await;
        assert_eq!((done.status.as_u16(), &done.body["state"]), (201, &"SUCCEEDED".into()), "{name}: {}", done.text);
    }
}
