//! `kontor network`: the network's end as a process.

use anyhow::{Context as _, Result};
use kit::shutdown::Shutdown;
use network::config::{Config, RateLimits};
use network::console::CallLog;
use network::serve::{Network, Options};

use super::Running;
use crate::cli::{self, NetworkArgs, Side};

impl From<cli::RateLimits> for RateLimits {
    fn from(set: cli::RateLimits) -> Self {
        match set {
            cli::RateLimits::Live => Self::Live,
            cli::RateLimits::Test => Self::Test,
            cli::RateLimits::Off => Self::Off,
        }
    }
}

/// Opens, migrates, seeds and serves; returns once requests are answered, with the seeded accounts if there are any.
pub async fn start(args: &NetworkArgs, stop: &Shutdown) -> Result<Running> {
    if let Some(file) = &args.markets {
        let said = || format!("--markets {}", file.display());
        let text = std::fs::read_to_string(file).with_context(said)?;
        network::programs::catalogue::added::add(&text).with_context(said)?;
    }
    let mut options = Options::new(args.storage.database(Side::Network), args.listen, args.storage.secrets()?);
    options.serve = args.reach.serve_config(args.listen, &args.storage.data_dir)?;
    options.config = Config {
        base_url: args.base_url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned(),
        rate_limits: args.rate_limits.into(),
        webhooks_local: args.local_webhooks,
        testing: !args.no_testing,
        console_open: false,
        sftp: None,
        call_log: CallLog { keep: args.request_log, ..CallLog::default() },
    };
    options.seed = args.seed;
    options.credentials_file = args.credentials_file.clone();
    options.bootstrap_link_file = args.bootstrap_link_file.clone();
    options.sftp_listen = args.sftp_listen;
    let network = Network::start(options).await?;

    let (address, url) = (network.local_addr(), network.ctx().config.base_url.clone());
    let stop = stop.child();
    let serving = tokio::spawn(network.run(stop.clone()));
    args.reach.announce(address)?;
    tracing::info!(%address, "the network's end listens on {url}");
    Ok(Running { url, stop, tasks: vec![serving] })
}
