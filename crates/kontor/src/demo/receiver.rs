//! The Partner's webhook receiver in the scripted demo: checks every signature before it believes a word.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use gateway::events::signature::{self, EndpointSecret};
use http::{HeaderMap, StatusCode};
use kit::http::{ServeConfig, Server, StackConfig, stack};
use kit::shutdown::Shutdown;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

/// What came in and was believed, in order of arrival.
#[derive(Clone, Default)]
pub struct Received {
    events: Arc<Mutex<Vec<Value>>>,
    secret: Arc<Mutex<Option<EndpointSecret>>>,
}

impl Received {
    /// Listens on a free port; returns the url to register.
    pub async fn listen(&self, stop: &Shutdown) -> Result<String> {
        let server = Server::bind("127.0.0.1:0".parse()?, ServeConfig::default()).await?;
        let url = format!("{}/hooks", crate::roles::url_of(&server));
        let router = Router::new().route("/hooks", post(receive)).with_state(self.clone());
        tokio::spawn(server.run(stack(router, StackConfig::default()), stop.child()));
        Ok(url)
    }

    /// The secret that the gateway answered when the endpoint was made.
    pub fn trust(&self, secret: EndpointSecret) {
        *self.secret.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(secret);
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn is_genuine(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(timestamp), Some(given)) = (
            text(signature::ID_HEADER),
            text(signature::TIMESTAMP_HEADER).and_then(|seconds| seconds.parse().ok()),
            text(signature::SIGNATURE_HEADER),
        ) else {
            return false;
        };
        let secret = self.secret.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        secret.is_some_and(|secret| {
            let expected = signature::sign(&[secret], id, timestamp, body);
            // Compared in constant time: whoever sends chooses what is compared.
            given.split(' ').any(|one| one.as_bytes().ct_eq(expected.as_bytes()).into())
        })
    }
}

async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !received.is_genuine(&headers, &body) {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(event) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    received.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
    StatusCode::NO_CONTENT
}
