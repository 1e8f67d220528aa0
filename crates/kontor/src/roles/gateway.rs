//! `kontor gateway`: the Acquiring Partner's end as a process.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::config::BankAccountHashing;
use kit::clock::{Clock, DAY_US, SECOND_US};
use kit::http::{StackConfig, stack};
use kit::jobs::Poke;
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::random::Random;
use kit::rate_limit::RateLimiter;
use kit::shutdown::Shutdown;
use protocol::PartnerAccountId;
use protocol::onboarding::bank_account::Hashing;
use rustls::pki_types::CertificateDer;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{Running, url_of};
use crate::cli::{GatewayArgs, KlarnaArgs, Side};

/// The part of a credentials file that the gateway needs.
#[derive(Deserialize)]
struct CredentialsFile {
    base_url: Url,
    acquiring_partner: AcquiringPartner,
}

#[derive(Deserialize)]
struct AcquiringPartner {
    account_id: PartnerAccountId,
    api_key: SecretString,
}

/// Where Klarna is, and as whom we speak to it.
struct WayToKlarna {
    url: Url,
    account_id: PartnerAccountId,
    api_key: SecretString,
    extra_roots: Vec<CertificateDer<'static>>,
}

impl KlarnaArgs {
    fn resolve(&self) -> Result<WayToKlarna> {
        let file = self.klarna_credentials_file.as_deref().map(read_credentials).transpose()?;
        let (file_url, file_partner) = file.map(|file| (file.base_url, file.acquiring_partner)).unzip();
        let (file_account, file_key) = file_partner.map(|partner| (partner.account_id, partner.api_key)).unzip();
        let named_account = self.klarna_account_id.as_deref().map(str::parse::<PartnerAccountId>).transpose();

        let mut faults = Vec::new();
        let account_id =
            named_account.map_err(|error| faults.push(format!("--klarna-account-id: {error}"))).ok().flatten();
        let url = self.klarna_url.clone().or(file_url);
        let account_id = account_id.or(file_account);
        let api_key = self.klarna_api_key.clone().or(file_key);
        for (missing, what) in [
            (url.is_none(), "--klarna-url (KONTOR_KLARNA_URL) says where Klarna is"),
            (account_id.is_none(), "--klarna-account-id (KONTOR_KLARNA_ACCOUNT_ID) names your account there"),
            (api_key.is_none(), "KONTOR_KLARNA_API_KEY holds your API key"),
        ] {
            if missing && faults.is_empty() {
                faults.push(format!("missing: {what}"));
            } else if missing {
                faults.push(what.to_owned());
            }
        }
        let extra_roots = match self.klarna_ca_file.as_deref().map(read_roots).transpose() {
            Ok(roots) => roots.unwrap_or_default(),
            Err(error) => {
                faults.push(format!("--klarna-ca-file: {error:#}"));
                Vec::new()
            }
        };
        match (url, account_id, api_key) {
            (Some(url), Some(account_id), Some(api_key)) if faults.is_empty() => {
                Ok(WayToKlarna { url, account_id, api_key, extra_roots })
            }
            _ => bail!(
                "the way to Klarna is not complete; give --klarna-credentials-file, or its parts\n  {}",
                faults.join("\n  ")
            ),
        }
    }
}

fn read_credentials(file: &Path) -> Result<CredentialsFile> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: expected base_url and acquiring_partner.{{account_id, api_key}}", file.display()))
}

pub fn read_roots(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(kit::tls::certificates(&pem, &file.display().to_string())?)
}

/// Opens, migrates, connects and serves; returns once requests are answered.
pub async fn start(args: &GatewayArgs, stop: &Shutdown) -> Result<Running> {
    let klarna = args.klarna.resolve()?;
    let db = args.storage.open(Side::Gateway, gateway::MIGRATIONS).await?;
    let secrets = args.storage.secrets()?;
    let server = args.reach.bind(args.listen, &args.storage.data_dir).await?;
    let (address, url) = (server.local_addr(), url_of(&server));

    let public_url = match &args.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&url)?,
    };
    let mut config = gateway::Config::new(public_url, klarna.url, klarna.account_id, klarna.api_key);
    config.local_targets = args.local_targets;
    config.partner_requests_per_second = args.partner_rate_limit;
    config.recovery_delay_us = i64::from(args.recovery_delay_seconds) * SECOND_US;
    config.webhook_ahead_max_us = i64::from(args.klarna_clock_ahead_seconds) * SECOND_US;
    if let Some(url) = &args.web_sdk_url {
        config.web_sdk = gateway::config::WebSdk::at(url.clone());
    }
    config.partner_history_retention_us = i64::from(args.partner_history_days) * DAY_US;
    config.portal_users_at_onboarding = args.portal_users_at_onboarding;
    config.bank_account_hashing = args.bank_account_hashing_file.as_deref().map(hashing).transpose()?;
    let (clock, random) = (Clock::system(), Random::system());
    let upstream = UpstreamConfig { extra_roots: klarna.extra_roots, ..UpstreamConfig::default() };
    let client = gateway::klarna::Client::new(&config, upstream_client(upstream)?, random.clone())?;
    let ctx = gateway::Ctx::new(gateway::Parts {
        db,
        clock,
        random,
        secrets,
        config,
        klarna: client,
        limiter: RateLimiter::new(),
        poke: Poke::default(),
    });

    let stop = stop.child();
    let worker = gateway::worker(&ctx);
    let router = gateway::router(&ctx).merge(kit::http::health::routes(readiness(&ctx)));
    gateway::ensure_jobs(&ctx).await?;
    let worker_stop = Shutdown::new();
    let serving = tokio::spawn({
        let (stop, worker_stop) = (stop.clone(), worker_stop.clone());
        async move {
            server.run(stack(router, StackConfig::default()), stop).await;
            // Requests in flight may still make work; the workers stop after the last of them.
            worker_stop.trigger();
        }
    });
    let sweeping = tokio::spawn(kit::idempotency::keep_swept(ctx.db.clone(), ctx.clock.clone(), worker_stop.token()));
    let working = tokio::spawn(worker.run(worker_stop.token()));
    args.reach.announce(address)?;
    tracing::info!(%address, "the gateway listens on {url}");
    Ok(Running { url, stop, tasks: vec![serving, working, sweeping] })
}

fn readiness(ctx: &gateway::Ctx) -> kit::http::health::Readiness {
    let db = ctx.db.clone();
    kit::http::health::Readiness::new().check("database", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(Into::into) }
    })
}

/// How bank account numbers are hashed, as Klarna and the Acquiring Partner agreed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashingFile {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    output_len: usize,
    /// In Base64.
    salt: String,
    sanitization_method: String,
    hash_method: String,
}

fn hashing(path: &Path) -> Result<BankAccountHashing> {
    let said = || format!("--bank-account-hashing-file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(said)?;
    let file: HashingFile = serde_json::from_str(&text).with_context(said)?;
    let hashing = Hashing {
        memory_kib: file.memory_kib,
        iterations: file.iterations,
        parallelism: file.parallelism,
        output_len: file.output_len,
        salt: STANDARD.decode(&file.salt).context("the salt is not Base64").with_context(said)?,
        sanitization_method: file.sanitization_method,
        hash_method: file.hash_method,
    };
    // Better found out now than when the first Partner is submitted.
    hashing.hash("DE00").with_context(said)?;
    Ok(BankAccountHashing(hashing))
}
