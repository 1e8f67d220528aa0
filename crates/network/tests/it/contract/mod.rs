//! Contract tests: one for each operation of Klarna's public request collection, release r2512 (fact sheet 06).
//!
//! `r2512.json` holds the collection's facts: method and path, the union of request fields over all its examples, and what its
//! scripts assert and read from the answers. A test is written with [`contracts!`](crate::contracts) under the operation's name; it
//! fails unless every field of the operation was sent in a call that succeeded with the asserted status, and every answer had the
//! fields that are read. [`every_operation_is_held_to_its_contract`] fails when an operation has no test.
//!
//! [`Contract::body`] makes a body of all fields, with a sensible value for each by its name; a test says what it wants otherwise.

mod accounts;
mod credentials;
mod disputes;
mod notifications;
mod payments;
mod portal;
mod presentation;
mod programs;
mod settlements;
mod tokens;
mod values;

mod operations;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::harness::{Answer, End};

/// What the collection says of an operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `POST /v2/accounts/{partner_account_id}/brands`.
    pub operation: String,
    /// Asserted by the collection, or by RULINGS 1.2 where it asserts none.
    pub status: u16,
    /// `path type`, or `path type = VALUE | VALUE` with the values seen.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The names of query parameters.
    #[serde(default)]
    pub query: Vec<String>,
    /// The names of headers of its own.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The parts of a multipart form.
    #[serde(default)]
    pub multipart: Vec<String>,
    /// The fields of the answer that the collection's scripts read.
    #[serde(default)]
    pub reads: Vec<String>,
    /// The same operation for another account, whose facts hold here, too: this one is called by a Partner with its own key.
    pub like: Option<String>,
}

static FACTS: LazyLock<Vec<Facts>> =
    LazyLock::new(|| serde_json::from_str(include_str!("r2512.json")).expect("the facts are of their form"));

fn facts(operation: &str) -> &'static Facts {
    FACTS.iter().find(|facts| facts.operation == operation).unwrap_or_else(|| panic!("{operation} is in no sheet"))
}

/// An operation under test.
pub struct Contract {
    facts: &'static Facts,
    status: u16,
    own_key: bool,
    name: &'static str,
    sent: Mutex<BTreeSet<String>>,
    succeeded: Mutex<u32>,
}

impl Contract {
    /// By its name in the sheet.
    pub fn new(operation: &str) -> Self {
        let named = facts(operation);
        let facts = named.like.as_deref().map_or(named, facts);
        Self {
            facts,
            status: named.status,
            own_key: named.like.is_some(),
            name: &named.operation,
            sent: Mutex::default(),
            succeeded: Mutex::default(),
        }
    }

    fn method(&self) -> Method {
        self.name.split(' ').next().unwrap().parse().unwrap()
    }

    /// The operation's path with these parameters; `partner_account_id` is the seeded Partner unless it is given.
    pub fn path(&self, end: &End, params: &[(&str, &str)]) -> String {
        let mut path = self.name.split(' ').nth(1).unwrap().to_owned();
        for (name, value) in params.iter().chain(&[("partner_account_id", end.partner())]) {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "{path} lacks a parameter");
        path
    }

    /// A body of all fields of the sheet.
    pub fn body(&self) -> Value {
        let mut body = Value::Null;
        for field in &self.facts.fields {
            values::put(&mut body, field);
        }
        body
    }

    /// [`Contract::body`] with other values: objects are merged, null removes, and an array whose first entry is an object merges into every entry.
    pub fn body_with(&self, changes: Value) -> Value {
        let mut body = self.body();
        values::merge(&mut body, changes);
        body
    }

    /// Calls, with the Acquiring Partner's key, or the Partner's where the sheet does; asserts the status and the fields that are read.
    pub async fn call(&self, end: &End, params: &[(&str, &str)], body: Option<&Value>) -> Value {
        self.call_with(end, params, "", &[], body).await
    }

    /// [`Contract::call`] with a query (`a=1&b=2`) and headers.
    pub async fn call_with(
        &self,
        end: &End,
        params: &[(&str, &str)],
        query: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Value {
        let answer = self.try_call(end, params, query, headers, body).await;
        assert_eq!(answer.status, self.status, "{}: {}", self.name, answer.text);
        self.note(query, headers, body);
        if answer.text.is_empty() || !answer.header("content-type").is_some_and(|given| given.contains("json")) {
            return Value::Null;
        }
        answer.json()
    }

    /// The same call, whatever comes back; nothing is asserted, nothing counts as sent.
    pub async fn try_call(
        &self,
        end: &End,
        params: &[(&str, &str)],
        query: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let path = self.path(end, params);
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let key = if self.own_key { end.partner_key() } else { end.ap_key() };
        let authorization = format!("Basic {key}");
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend(headers);
        end.send(self.method(), &path, &all, body).await
    }

    /// Counts a call that was made by other means and succeeded; of a multipart form, `body` is an object with its parts.
    pub fn note(&self, query: &str, headers: &[(&str, &str)], body: Option<&Value>) {
        let mut sent = self.sent.lock().unwrap();
        if let Some(body) = body {
            values::paths(body, "", &mut sent);
        }
        sent.extend(headers.iter().map(|(name, _)| format!("header {}", name.to_lowercase())));
        let names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| format!("query {name}"));
        sent.extend(names.collect::<Vec<_>>());
        *self.succeeded.lock().unwrap() += 1;
    }

    /// Asserts that an answer has every field that the collection reads from this operation; not every call answers all of them.
    #[track_caller]
    pub fn reads(&self, answer: &Value) {
        for path in &self.facts.reads {
            assert!(values::at(answer, path).is_some(), "{} does not answer {path}: {answer}", self.name);
        }
    }

    /// Asserts the fields of these that the collection reads.
    #[track_caller]
    pub fn reads_some(&self, answer: &Value, paths: &[&str]) {
        for path in paths {
            assert!(self.facts.reads.iter().any(|read| read == path), "{path} is not read by the sheet");
            assert!(values::at(answer, path).is_some(), "{} does not answer {path}: {answer}", self.name);
        }
    }

    /// Asserts that every field, query parameter and header of the sheet was sent in a call that succeeded.
    pub fn finish(&self) {
        assert!(*self.succeeded.lock().unwrap() > 0, "{} was never called with success", self.name);
        let sent = self.sent.lock().unwrap();
        let fields = self.facts.fields.iter().map(|field| field.split(' ').next().unwrap().to_owned());
        let query = self.facts.query.iter().map(|name| format!("query {name}"));
        let headers = self.facts.headers.iter().map(|name| format!("header {}", name.to_lowercase()));
        let missing: Vec<String> = fields
            .chain(query)
            .chain(headers)
            .chain(self.facts.multipart.iter().cloned())
            .filter(|wanted| !sent.contains(wanted))
            .collect();
        assert!(missing.is_empty(), "{} was never sent: {missing:?}", self.name);
    }
}

/// Contract tests: `contracts! { "POST /v2/…" => async fn name(end, op) { … } }`. `end` is a network end, `op` the [`Contract`]; each
/// runs on each engine. Lists the operations in `HELD`; add the file's `HELD` to [`held`].
#[macro_export]
macro_rules! contracts {
    ($($operation:literal => async fn $name:ident($end:ident, $op:ident) $body:block)*) => {
        pub const HELD: &[&str] = &[$($operation),*];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                for end in $crate::harness::ends().await {
                    let contract = $crate::contract::Contract::new($operation);
                    let ($end, $op) = (&end, &contract);
                    $body
                    contract.finish();
                }
            }
        )*
    };
}

/// Every operation that has a test.
fn held() -> impl Iterator<Item = &'static str> {
    let files = [
        accounts::HELD,
        credentials::HELD,
        disputes::HELD,
        notifications::HELD,
        payments::HELD,
        portal::HELD,
        presentation::HELD,
        programs::HELD,
        settlements::HELD,
        tokens::HELD,
    ];
    files.into_iter().flatten().copied()
}

#[test]
fn every_operation_is_held_to_its_contract() {
    assert_eq!(FACTS.len(), 124, "the collection's operations");
    let held: BTreeSet<&str> = held().collect();
    let missing: Vec<&str> =
        FACTS.iter().map(|facts| facts.operation.as_str()).filter(|operation| !held.contains(operation)).collect();
    assert!(missing.is_empty(), "{} operations have no test: {missing:#?}", missing.len());
}

#[test]
fn every_operation_is_a_route_that_takes_its_fields() {
    let routes = network::serve::routes(&network::config::Config::default());
    let mut missing = Vec::new();
    for facts in FACTS.iter() {
        let (method, path) = facts.operation.split_once(' ').unwrap();
        let found = routes.iter().find(|route| {
            route.method == *method && route.templates.iter().any(|template| same_template(template, path))
        });
        let Some(route) = found else {
            missing.push(&facts.operation);
            continue;
        };
        if !facts.fields.is_empty() {
            assert!(route.doc.takes.is_some(), "{} takes a body", facts.operation);
        }
    }
    assert!(missing.is_empty(), "{} operations of the sheet are not served: {missing:#?}", missing.len());
}

/// Parameters may have other names.
fn same_template(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').map(|part| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() }).collect()
    };
    parts(one) == parts(other)
}
