//! The long-running roles, put together from the crates below: what they store in, how they are reached, how they stop.

pub mod gateway;
pub mod network;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kit::db::{Db, DbConfig, Migrations};
use kit::http::{ClientCertificates, ServeConfig, Server, ServerTls};
use kit::secret_box::{Keyring, SecretBox};
use kit::shutdown::Shutdown;
use tokio::task::JoinHandle;

use crate::cli::{ListenArgs, Side, StorageArgs, TlsChoice};

/// How names of hosts begin that browsers load scripts from: nobody who comes by one is asked for a client certificate. Ours.
const SCRIPT_HOST: &str = "js.";

/// A role that runs in this process.
pub struct Running {
    /// Where it is reached, without a trailing slash.
    pub url: String,
    stop: Shutdown,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Waits until it was stopped from outside and everything in flight is finished.
    pub async fn finished(self) -> Result<()> {
        for task in self.tasks {
            task.await.context("a part of the process panicked")?;
        }
        Ok(())
    }

    /// Stops it and waits until everything in flight is finished.
    pub async fn stop(self) -> Result<()> {
        self.stop.trigger();
        self.finished().await
    }
}

impl StorageArgs {
    /// The database's settings; `side` names the file when nothing else was said.
    pub fn database(&self, side: Side) -> DbConfig {
        let file = || format!("sqlite:{}", self.data_dir.join(format!("{}.db", side.name())).display());
        DbConfig::new(self.database_url.clone().unwrap_or_else(file))
    }

    /// Opens the database and brings its tables up to date.
    pub async fn open(&self, side: Side, sets: &[Migrations]) -> Result<Db> {
        let db = Db::open(&self.database(side))
            .await
            .context("opening the database: is --database-url right, is the server up, is the folder writable?")?;
        for applied in db.migrate(sets).await? {
            tracing::info!(set = applied.set, "applied migration {}", applied.name);
        }
        Ok(db)
    }

    /// The keys that seal secrets at rest: from `KONTOR_SECRETS`, from the named file, or from a file in the data folder that
    /// is made when absent.
    pub fn secrets(&self) -> Result<SecretBox> {
        if let Ok(text) = std::env::var("KONTOR_SECRETS") {
            return Ok(SecretBox::new(Keyring::from_env_text(&text).context("reading KONTOR_SECRETS")?));
        }
        let keyring = match &self.secrets_file {
            Some(file) => Keyring::from_file(file)
                .with_context(|| format!("make one with `kontor secrets generate {}`", file.display()))?,
            None => self.own_keyring(&self.data_dir.join("secrets.key"))?,
        };
        Ok(SecretBox::new(keyring))
    }

    fn own_keyring(&self, file: &Path) -> Result<Keyring> {
        if file.exists() {
            return Ok(Keyring::from_file(file)?);
        }
        if self.database_url.is_some() {
            // A database that outlives this folder must not be sealed with a key that lies in it unnoticed.
            tracing::warn!(file = %file.display(), "made a new key for secrets at rest; keep a copy, without it they are lost");
        }
        std::fs::create_dir_all(&self.data_dir).with_context(|| format!("making {}", self.data_dir.display()))?;
        match Keyring::generate_file(file) {
            // Both ends may start at once in one folder: the slower one reads what the faster one wrote.
            Err(_) if file.exists() => Ok(Keyring::from_file(file)?),
            made => Ok(made?),
        }
    }
}

impl ListenArgs {
    /// Binds the listener.
    pub async fn bind(&self, listen: SocketAddr, data_dir: &Path) -> Result<Server> {
        Server::bind(listen, self.serve_config(listen, data_dir)?)
            .await
            .with_context(|| format!("listening on {listen}: is the port in use? Choose another with --listen"))
    }

    /// How the listener is served.
    pub fn serve_config(&self, listen: SocketAddr, data_dir: &Path) -> Result<ServeConfig> {
        let identity = match &self.tls {
            Some(TlsChoice::Dev) => {
                let made = kit::tls::dev_tls(data_dir, &self.tls_names)?;
                tracing::info!(ca = %made.ca_path.display(), "serving with a private CA; clients trust it by this file");
                Some(made.identity)
            }
            Some(TlsChoice::Files { certificate, key }) => Some(kit::tls::Identity::from_files(certificate, key)?),
            Some(TlsChoice::None) => None,
            None if listen.ip().is_loopback() => None,
            None => bail!(
                "{listen} can be reached from other machines, so it needs TLS (SEC-11): give --tls CERT,KEY or --tls dev, \
                 or say --tls none where a proxy in front of it ends TLS"
            ),
        };
        let tls = identity.map(|identity| ServerTls {
            identity,
            client_certificates: ClientCertificates::Reported { roots: Vec::new() },
            unasked_names: self.tls_names.iter().filter(|name| name.starts_with(SCRIPT_HOST)).cloned().collect(),
        });
        Ok(ServeConfig { tls, ..ServeConfig::default() })
    }

    /// Tells scripts that everything is ready, and where.
    pub fn announce(&self, address: SocketAddr) -> Result<()> {
        let Some(file) = &self.address_file else { return Ok(()) };
        // Written aside and moved, so that nobody reads half an address.
        let aside = file.with_extension("part");
        std::fs::write(&aside, address.to_string())
            .and_then(|()| std::fs::rename(&aside, file))
            .with_context(|| format!("writing {}", file.display()))
    }
}

/// The url of a bound listener. An address that means "all interfaces" is reached by localhost.
pub fn url_of(server: &Server) -> String {
    let mut address = server.local_addr();
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("{}://{address}", server.scheme())
}
