//! Settings of the gateway.

use std::time::Duration;

use kit::clock::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use protocol::PartnerAccountId;
use protocol::onboarding::bank_account::Hashing;
use secrecy::SecretString;
use url::Url;

/// Settings, complete and checked by whoever makes them. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where customers and Klarna reach this gateway.
    pub public_url: Url,
    /// The network's base url.
    pub klarna_base_url: Url,
    /// The AP's own account at the network: whose webhooks, keys and settlements these are.
    pub klarna_account_id: PartnerAccountId,
    /// The AP's API key at the network.
    pub klarna_api_key: SecretString,
    /// `integrator.name` in `Klarna-Integration-Metadata`, UPPER_SNAKE_CASE.
    pub integrator_name: String,
    /// `integrator.session_reference`: a long-lived id of this installation.
    pub integrator_reference: String,
    /// How calls to the network behave.
    pub upstream: UpstreamLimits,
    /// Plain http and addresses of this machine are fine for return urls and webhooks: development only.
    pub local_targets: bool,
    /// Requests per second that one Partner may make; `None` for no limit.
    pub partner_requests_per_second: Option<u32>,
    /// How long first answers are remembered, in microseconds.
    pub idempotency_retention_us: i64,
    /// A call whose answer is still missing this long after its intent is repeated by a job, in microseconds.
    pub recovery_delay_us: i64,
    /// A payment that waits for its customer is looked up at Klarna this often, in case a webhook was lost, in microseconds.
    pub watch_interval_us: i64,
    /// A webhook of the network that tells of something longer ago is refused, in microseconds: more than the span over which the
    /// network retries, so that only replays of recorded messages are caught.
    pub webhook_age_max_us: i64,
    /// And one that tells of something further in the future, in microseconds. A test network with a clock of its own needs more.
    pub webhook_ahead_max_us: i64,
    /// A Partner's account is read back and compared this often, in microseconds.
    pub alignment_interval_us: i64,
    /// Whether a Partner that is onboarded gets a user of Klarna's portal under its contact's address: for Acquiring Partners without an
    /// interface that leads there (IOP-1b).
    pub portal_users_at_onboarding: bool,
    /// What Klarna's price plans and program plans say is read again this often, in microseconds.
    pub terms_refresh_us: i64,
    /// The script of the hosted page.
    pub web_sdk: WebSdk,
    /// How long it is kept what comparisons found, and what became of the rows of imports, in microseconds.
    pub partner_history_retention_us: i64,
    /// How bank account numbers are hashed before they are sent; `None` sends them in the clear.
    pub bank_account_hashing: Option<BankAccountHashing>,
}

/// The Web SDK: its module, and the origins that the hosted page's content-security-policy lets it talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSdk {
    /// An ES module that exports `KlarnaSDK`.
    pub url: Url,
    /// Sources beside the module's own origin, as a policy writes them: `https://*.klarna.com`.
    pub origins: Vec<String>,
}

impl WebSdk {
    /// Klarna's own module for Klarna's hosts, else the one that the network end itself serves.
    pub fn of_network(base_url: &Url) -> Self {
        if is_klarna(base_url) {
            return Self::at(Url::parse(KLARNAS_WEB_SDK).expect("a constant url"));
        }
        let mut url = base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["web-sdk", "v2", "klarna.mjs"]);
        }
        Self::at(url)
    }

    /// The module at an address.
    pub fn at(url: Url) -> Self {
        // Fact sheet 04 §3.1: scripts, styles and pictures of Klarna's come from these two.
        let klarnas = ["https://*.klarna.com", "https://*.klarnacdn.net"];
        let origins = if is_klarna(&url) { klarnas.map(str::to_owned).to_vec() } else { Vec::new() };
        Self { url, origins }
    }

    /// All sources, the module's origin first.
    pub fn sources(&self) -> Vec<String> {
        let mut sources = vec![self.url.origin().ascii_serialization()];
        sources.extend(self.origins.iter().cloned());
        sources
    }
}

const KLARNAS_WEB_SDK: &str = "https://js.klarna.com/web-sdk/v2/klarna.mjs";

fn is_klarna(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "klarna.com" || host.ends_with(".klarna.com"))
}

/// What Klarna and the Acquiring Partner agreed on. `Debug` shows nothing: the salt is shared with nobody else.
#[derive(Clone)]
pub struct BankAccountHashing(pub Hashing);

impl std::fmt::Debug for BankAccountHashing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BankAccountHashing(…)")
    }
}

impl Config {
    /// The defaults around what has none.
    pub fn new(
        public_url: Url,
        klarna_base_url: Url,
        klarna_account_id: PartnerAccountId,
        klarna_api_key: SecretString,
    ) -> Self {
        Self {
            web_sdk: WebSdk::of_network(&klarna_base_url),
            public_url,
            klarna_base_url,
            klarna_account_id,
            klarna_api_key,
            integrator_name: "KONTOR".to_owned(),
            integrator_reference: "kontor-gateway".to_owned(),
            upstream: UpstreamLimits::default(),
            local_targets: false,
            partner_requests_per_second: None,
            idempotency_retention_us: 24 * HOUR_US,
            // Ours: a little more than the deadline of the inline call.
            recovery_delay_us: 45 * SECOND_US,
            watch_interval_us: 15 * MINUTE_US,
            // Ours: the schedule of fact sheet 01 §10.3 ends after 21 h 17 min.
            webhook_age_max_us: 24 * HOUR_US,
            webhook_ahead_max_us: 5 * MINUTE_US,
            alignment_interval_us: 24 * HOUR_US,
            portal_users_at_onboarding: false,
            terms_refresh_us: 24 * HOUR_US,
            partner_history_retention_us: 90 * DAY_US,
            bank_account_hashing: None,
        }
    }
}

/// How calls to the network behave. Ours, all of them, below the 59 s after which the network gives up (fact sheet 01 §7).
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// For one attempt.
    pub attempt_timeout: Duration,
    /// For a call with all its attempts, within a Partner's request.
    pub deadline: Duration,
    /// Attempts of one call.
    pub attempts_max: u32,
    /// Pause before the second attempt; doubles from there, give or take a half.
    pub first_pause: Duration,
    /// Calls per second of one kind until the network's headers say otherwise; `None` for no limit until then.
    pub calls_per_second: Option<u32>,
    /// Failures in a row that open the circuit.
    pub breaker_failures: u32,
    /// How long the circuit stays open before one call probes it.
    pub breaker_pause: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(12),
            deadline: Duration::from_secs(30),
            attempts_max: 4,
            first_pause: Duration::from_millis(150),
            calls_per_second: None,
            breaker_failures: 30,
            breaker_pause: Duration::from_secs(3),
        }
    }
}
