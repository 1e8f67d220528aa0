//! The short commands: they do one thing to a database or a file, say what they did, and exit.

mod alignment;
mod bulk;
mod deliveries;
mod jobs;
mod migrate;
mod operator;
mod partner;
mod reference;
mod secrets;

pub use deliveries::deliveries;
pub use jobs::jobs;
pub use migrate::migrate;
pub use operator::operator;
pub use partner::partner;
pub use reference::reference;
pub use secrets::secrets;

use anyhow::Result;
use kit::db::{Db, Migrations};
use kit::sealed::SealedColumn;

use crate::cli::{Side, SideArgs};

impl Side {
    /// The tables of this end.
    pub fn migrations(self) -> &'static [Migrations] {
        match self {
            Self::Gateway => gateway::MIGRATIONS,
            Self::Network => network::MIGRATIONS,
        }
    }

    /// The columns of this end that hold sealed values.
    fn sealed(self) -> &'static [&'static SealedColumn] {
        match self {
            Self::Gateway => gateway::sealed::SEALED,
            Self::Network => network::sealed::SEALED,
        }
    }
}

impl SideArgs {
    async fn open(&self) -> Result<Db> {
        self.storage.open(self.side, self.side.migrations()).await
    }
}

/// A time in microseconds UTC, for people.
fn time(us: i64) -> String {
    protocol::Timestamp::from_micros(us).map_or_else(|_| us.to_string(), |time| time.to_string())
}
