use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::cli::{ReferenceArgs, Side};

/// `kontor reference`
pub fn reference(args: &ReferenceArgs) -> Result<()> {
    let url = |default: &str| args.url.clone().unwrap_or_else(|| default.to_owned());
    let document = match args.side {
        Side::Gateway => gateway::reference::document::document(&url("http://127.0.0.1:4000")),
        Side::Network => {
            let sections = network::serve::sections(&network::config::Config::default());
            network::reference::document(&url("http://127.0.0.1:4010"), &sections)
        }
    };
    let text = serde_json::to_string_pretty(&document).context("writing JSON")?;
    writeln!(std::io::stdout(), "{text}").context("writing to the standard output")
}
