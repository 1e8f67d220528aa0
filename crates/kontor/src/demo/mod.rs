//! `kontor demo`: both ends and a shop in one process, on embedded databases.

mod once;
mod partners;
mod receiver;
mod script;
mod shopper;
mod storefront;

pub use once::once;
pub use partners::partners;

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gateway::access::{self, NewPartner};
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::http::{ServeConfig, Server, StackConfig, stack};
use kit::random::Random;
use kit::shutdown::Shutdown;
use network::seed::Credentials;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::cli::{self, DemoArgs, GatewayArgs, KlarnaArgs, ListenArgs, NetworkArgs, Side, StorageArgs};
use crate::roles::{self, Running};
use crate::shop::account::Accounts;
use crate::shop::account::sign_in::SignInConfig;
use crate::shop::sdk::SdkConfig;
use crate::shop::{self, ShopConfig};

/// Both ends, running.
struct Ends {
    network: Running,
    gateway: Running,
    /// What the network's end seeded.
    credentials: Credentials,
    /// The Partner at the gateway.
    partner: DemoPartner,
}

/// The demo's Partner at the gateway, kept beside the database: its key exists nowhere else in the clear.
#[derive(Clone, Serialize, Deserialize)]
struct DemoPartner {
    partner_id: String,
    api_key: String,
}

fn storage(folder: &Path) -> StorageArgs {
    StorageArgs { data_dir: folder.to_owned(), database_url: None, secrets_file: None }
}

fn reach() -> ListenArgs {
    ListenArgs { tls: None, tls_names: Vec::new(), address_file: None }
}

/// Starts the network's end, makes the Partner at the gateway if there is none yet, and starts the gateway.
async fn start_ends(
    folder: &Path,
    seed: u64,
    network_listen: SocketAddr,
    gateway_listen: SocketAddr,
    sftp_listen: Option<SocketAddr>,
    stop: &Shutdown,
) -> Result<Ends> {
    let credentials_file = folder.join("credentials.json");
    let network = NetworkArgs {
        listen: network_listen,
        storage: storage(folder),
        reach: reach(),
        base_url: None,
        credentials_file: Some(credentials_file.clone()),
        bootstrap_link_file: None,
        sftp_listen,
        seed: Some(seed),
        rate_limits: cli::RateLimits::Test,
        local_webhooks: true,
        no_testing: false,
        request_log: 10_000,
        markets: None,
    };
    let network = roles::network::start(&network, stop).await?;
    let credentials: Credentials = read_json(&credentials_file)?;
    let partner = demo_partner(folder, &credentials).await?;
    let gateway = GatewayArgs {
        listen: gateway_listen,
        storage: storage(folder),
        reach: reach(),
        public_url: None,
        klarna: KlarnaArgs {
            klarna_credentials_file: Some(credentials_file),
            klarna_url: None,
            klarna_account_id: None,
            klarna_api_key: None,
            klarna_ca_file: None,
        },
        local_targets: true,
        partner_rate_limit: None,
        recovery_delay_seconds: 45,
        web_sdk_url: None,
        bank_account_hashing_file: None,
        partner_history_days: 90,
        portal_users_at_onboarding: false,
        // The clock of the demo's network end may be moved by years.
        klarna_clock_ahead_seconds: u32::MAX,
    };
    let gateway = roles::gateway::start(&gateway, stop).await?;
    Ok(Ends { network, gateway, credentials, partner })
}

async fn demo_partner(folder: &Path, credentials: &Credentials) -> Result<DemoPartner> {
    let file = folder.join("partner.json");
    if file.exists() {
        return read_json(&file);
    }
    let db = storage(folder).open(Side::Gateway, gateway::MIGRATIONS).await?;
    let partner = NewPartner {
        name: "Harbour Lights".to_owned(),
        klarna_account_id: credentials.partner.account_id.parse()?,
        payment_account_id: Some(credentials.partner.payment_account_id.parse()?),
    };
    let (clock, random) = (Clock::system(), Random::system());
    let made = match access::create_partner(&db, &clock, &random, partner).await {
        Ok(created) => (created.partner_id, created.key),
        // The process ended after the Partner was made and before its key was written down: make another key.
        Err(access::AccessError::AccountTaken(_)) => {
            let partners = access::list(&db).await?;
            let known = partners.into_iter().find(|row| row.klarna_account_id == credentials.partner.account_id);
            let partner_id = known.context("the demo's Partner")?.partner_id;
            let key = access::create_key(&db, &clock, &random, &partner_id, "demo").await?;
            (partner_id, key)
        }
        Err(error) => return Err(error.into()),
    };
    let (partner_id, key) = made;
    let partner = DemoPartner { partner_id, api_key: key.api_key.expose_secret().to_owned() };
    write_private(&file, &serde_json::to_vec_pretty(&partner)?)?;
    Ok(partner)
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("understanding {}", file.display()))
}

/// Readable by its owner only, and whole or absent.
fn write_private(file: &Path, bytes: &[u8]) -> Result<()> {
    let aside: PathBuf = file.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        open.write_all(bytes)?;
        open.sync_all()?;
        std::fs::rename(&aside, file)
    };
    write().with_context(|| format!("writing {}", file.display()))
}

/// The demo that stays up: both ends and the shop, until Ctrl-C.
pub async fn stay_up(args: &DemoArgs) -> Result<()> {
    let stop = Shutdown::on_signals()?;
    // The shop goes first, then the gateway, then the network's end: each finishes while what it needs still answers.
    let (ends_stop, shop_stop) = (Shutdown::new(), stop.child());
    let (network, gateway, sftp) = (args.network_listen, args.gateway_listen, args.sftp_listen);
    let ends = start_ends(&args.data_dir, args.seed, network, gateway, sftp, &ends_stop).await?;

    let server = Server::bind(args.shop_listen, ServeConfig::default())
        .await
        .with_context(|| format!("listening on {}: choose another port with --shop-listen", args.shop_listen))?;
    let shop_url = roles::url_of(&server);
    let accounts = Db::open(&DbConfig::new(format!("sqlite:{}", args.data_dir.join("shop.db").display()))).await?;
    accounts.migrate(shop::account::MIGRATIONS).await?;
    let shop = shop::router(ShopConfig {
        gateway_url: ends.gateway.url.parse()?,
        api_key: SecretString::from(ends.partner.api_key.clone()),
        public_url: shop_url.parse()?,
        network_url: ends.network.url.parse()?,
        sdk: SdkConfig {
            script_url: format!("{}/web-sdk/v2/klarna.mjs", ends.network.url).parse()?,
            client_id: storefront::client_id(&args.data_dir, &ends, &shop_url).await?,
            payment_account_id: ends.credentials.partner.payment_account_id.clone(),
        },
        sign_in: SignInConfig { issuer: format!("{}/eu/lp/idp", ends.network.url) },
        accounts: Accounts {
            db: accounts,
            clock: Clock::system(),
            random: Random::system(),
            is_secure: shop_url.starts_with("https:"),
        },
    })?;
    println!("{}", banner(&shop_url, &ends, &args.data_dir));
    server.run(stack(shop, StackConfig::default()), shop_stop).await;
    ends.gateway.stop().await?;
    ends.network.stop().await
}

fn banner(shop_url: &str, ends: &Ends, folder: &Path) -> String {
    let (bold, plain) = (console::Style::new().bold(), console::Style::new().dim());
    let row =
        |what: &str, url: &str, why: &str| format!("  {:<9} {:<36} {}", what, bold.apply_to(url), plain.apply_to(why));
    [
        String::new(),
        format!("  {}", bold.apply_to("Kontor is up.")),
        String::new(),
        row("Shop", shop_url, "buy something; any six digits but 999999 are a right code"),
        row("Gateway", &format!("{}/docs", ends.gateway.url), "what a Partner calls"),
        row("Network", &ends.network.url, "the network's end; a test network, no real money"),
        String::new(),
        format!("  Keys and ids: {}", folder.join("credentials.json").display()),
        format!("  The Partner's key at the gateway: {}", folder.join("partner.json").display()),
        "  Ctrl-C stops; the next start goes on where this one ended.".to_owned(),
        String::new(),
    ]
    .join("\n")
}
