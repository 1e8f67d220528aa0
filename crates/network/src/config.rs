//! How the network end behaves: what an operator decides before it starts.

use std::net::SocketAddr;

use crate::console::CallLog;

/// Settings that hold for the life of the process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where callers and shoppers reach this end, without a trailing slash: `https://network.example:4010`. Empty takes the
    /// address that is listened on.
    pub base_url: String,
    /// Which set of rate limits holds.
    pub rate_limits: RateLimits,
    /// Whether webhooks may point at plain http, any port and private addresses: for local use.
    pub webhooks_local: bool,
    /// Whether the `/testing` controls exist.
    pub testing: bool,
    /// Whether the console asks nobody to sign in. Set at the start when this end can be reached from this machine only.
    pub console_open: bool,
    /// Where an SFTP server shows the reports of settlements; without one they are not put there, and not told of. Set at the start.
    pub sftp: Option<SocketAddr>,
    /// How much the request log keeps; it exists with the `/testing` controls only.
    pub call_log: CallLog,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            rate_limits: RateLimits::Test,
            webhooks_local: false,
            testing: true,
            console_open: false,
            sftp: None,
            call_log: CallLog::default(),
        }
    }
}

/// The two published sets of rate limits (fact sheet 01 §7), or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// Of the live environment.
    Live,
    /// Of the test environment: a quarter of the live ones.
    #[default]
    Test,
    /// No limits and no headers, for load tests.
    Off,
}
