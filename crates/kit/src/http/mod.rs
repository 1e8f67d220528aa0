//! Serving HTTP: one listener, one stack of request handling, one error shape.
//!
//! Begin with [`serve::Server`] (connections, TLS, draining), then [`layers::stack`] (what every request passes),
//! [`error::ApiError`] (what every refusal looks like) and [`json::JsonBody`] (how bodies come in); [`compress`] is for pages.

pub mod compress;
pub mod error;
pub mod health;
pub mod json;
pub mod layers;
pub mod serve;

pub use compress::compressed;
pub use error::{ApiError, FieldFault};
pub use json::{JsonBody, OptionalJsonBody};
pub use layers::{RequestId, StackConfig, stack};
pub use serve::{ClientCertificates, PeerAddr, PeerCertificate, ServeConfig, Server, ServerTls};
