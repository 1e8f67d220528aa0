//! What the network end has to know of the shop: the client identifier that its pages name themselves with, for its origin alone, and to be
//! answered at one address by a sign-in. Made the way in which any Partner makes one, by the API.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Ends, read_json, write_private};
use crate::shop::account::sign_in;

const PATH: &str = "/v2/account/integration/credentials/client-identifier";

/// Kept beside the database, so that a start with the same address makes nothing.
#[derive(Clone, Serialize, Deserialize)]
struct Storefront {
    origin: String,
    credential_id: String,
    client_id: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

/// The shop's client identifier. When the shop has moved, that of before is disabled: there is room for fifty.
pub async fn client_id(folder: &Path, ends: &Ends, origin: &str) -> Result<String> {
    let file = folder.join("storefront.json");
    let before = file.exists().then(|| read_json::<Storefront>(&file)).transpose()?;
    let redirect_uris = vec![format!("{origin}{}", sign_in::CALLBACK)];
    let is_current = |known: &&Storefront| known.origin == origin && known.redirect_uris == redirect_uris;
    if let Some(known) = before.as_ref().filter(is_current) {
        return Ok(known.client_id.clone());
    }
    let http = reqwest::Client::builder().no_proxy().build()?;
    let call = |method: reqwest::Method, path: &str| {
        let key = format!("Basic {}", ends.credentials.partner.api_key);
        http.request(method, format!("{}{path}", ends.network.url)).header("authorization", key)
    };
    if let Some(before) = before {
        call(reqwest::Method::DELETE, &format!("{PATH}/{}", before.credential_id)).send().await?;
    }
    let config = json!({ "allowed_domains": [origin], "redirect_uris": redirect_uris });
    let wanted = json!({ "description": "the shop of the demonstration", "config": config });
    let answer = call(reqwest::Method::POST, PATH).json(&wanted).send().await?;
    let status = answer.status();
    let made: Value = answer.json().await.context("making the shop's client identifier")?;
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (Some(client_id), Some(credential_id)) = (text("/identity/client_id"), text("/credential_id")) else {
        bail!("making the shop's client identifier answered {status}: {made}");
    };
    let storefront = Storefront { origin: origin.to_owned(), credential_id, client_id, redirect_uris };
    write_private(&file, &serde_json::to_vec_pretty(&storefront)?)?;
    Ok(storefront.client_id)
}
