//! Assembly: from settings to a running network end.
//!
//! [`Network::start`] opens, migrates, seeds and binds; [`Network::run`] serves and works until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use kit::clock::Clock;
use kit::db::{Db, DbConfig, DbError, Tx};
use kit::http::serve::BindError;
use kit::http::{ServeConfig, Server, StackConfig, compressed, health, stack};
use kit::idempotency;
use kit::jobs::Worker;
use kit::outbound::{ClientError, OutboundClient, OutboundConfig};
use kit::random::Random;
use kit::secret_box::SecretBox;
use kit::shutdown::Shutdown;
use protocol::header::KLARNA_CORRELATION_ID;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::ctx::Ctx;
use crate::operation::{self, Content, Route};
use crate::rounds::Sweep;
#[cfg(feature = "sftp")]
use crate::sftp;
use crate::{
    MIGRATIONS, accounts, console, credentials, disputes, identity, journey, notifications, payments, portal,
    presentation, programs, reference, sealed, seed, settlements, tokens, websdk,
};

/// What a network end is started with.
pub struct Options {
    /// Where it stores.
    pub db: DbConfig,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How it listens.
    pub serve: ServeConfig,
    /// How it behaves.
    pub config: Config,
    /// Seals its secrets: the same keys on every start.
    pub secrets: SecretBox,
    /// Its time; the distance that was set through `/testing/clock` is added.
    pub clock: Clock,
    /// With a seed, ids, keys and tokens are the same on every run from an empty database.
    pub seed: Option<u64>,
    /// Where the seeded accounts and their secrets are written at each start.
    pub credentials_file: Option<PathBuf>,
    /// Where each start writes a link that shows a first API key of the seeded Acquiring Partner, once.
    pub bootstrap_link_file: Option<PathBuf>,
    /// Where the reports of settlements can be fetched over SFTP; port 0 takes a free one.
    pub sftp_listen: Option<SocketAddr>,
    /// How webhooks are called; opened further by [`Config::webhooks_local`].
    pub outbound: OutboundConfig,
}

impl Options {
    /// The defaults, for a database, an address and keys.
    pub fn new(db: DbConfig, listen: SocketAddr, secrets: SecretBox) -> Self {
        Self {
            db,
            listen,
            serve: ServeConfig::default(),
            config: Config::default(),
            secrets,
            clock: Clock::system(),
            seed: None,
            credentials_file: None,
            bootstrap_link_file: None,
            sftp_listen: None,
            outbound: OutboundConfig::default(),
        }
    }
}

/// The sweeps of all rooms.
fn sweeps() -> impl Iterator<Item = Sweep> {
    [payments::jobs::SWEEP, credentials::SWEEP, disputes::jobs::SWEEP, portal::SWEEP, identity::SWEEP]
        .into_iter()
        .chain(settlements::jobs::SWEEPS)
}

async fn start_sweeps(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    for sweep in sweeps() {
        sweep.start(tx, now).await?;
    }
    Ok(())
}

/// Why a network end does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened, migrated, read or written.
    #[error("preparing the database")]
    Db(#[from] DbError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address for SFTP cannot be listened on.
    #[cfg(feature = "sftp")]
    #[error(transparent)]
    Sftp(#[from] ::sftp::StartError),
    /// SFTP was asked for.
    #[error("this program was built without SFTP")]
    NoSftp,
    /// The client for webhooks cannot be built.
    #[error("preparing the client for webhooks")]
    Outbound(#[from] ClientError),
    /// The seed, or the file that tells it, cannot be written.
    #[error(transparent)]
    Seed(#[from] seed::SeedError),
}

/// A network end that is ready to run.
pub struct Network {
    server: Server,
    router: Router,
    worker: Worker,
    ctx: Ctx,
    credentials: Option<seed::Credentials>,
    #[cfg(feature = "sftp")]
    sftp: Option<sftp::Ready>,
}

/// Every operation of this end by the part of the reference that it stands in, for the router, the OpenAPI document, and the tests
/// that hold each of them to the same rules.
pub fn sections(config: &Config) -> Vec<(&'static str, Vec<Route>)> {
    let mut sections = vec![
        ("Credentials", credentials::routes()),
        ("Accounts", accounts::routes()),
        ("Programs and pricing", programs::routes()),
        ("Portal", portal::routes()),
        ("Notifications", notifications::routes()),
        ("Payments", payments::routes()),
        ("Identity and interoperability", tokens::routes()),
        ("Presentation and messaging", presentation::routes()),
        ("Disputes", disputes::routes()),
        ("Settlements", settlements::routes()),
    ];
    if config.testing {
        let controls = [
            accounts::testing_routes(),
            console::routes(),
            credentials::testing_routes(),
            disputes::testing_routes(),
            payments::testing_routes(),
            portal::testing_routes(),
            programs::testing_routes(),
            settlements::testing_routes(),
            tokens::testing_routes(),
        ];
        sections.push(("Test controls", controls.concat()));
    }
    sections
}

/// Every operation of this end.
pub fn routes(config: &Config) -> Vec<Route> {
    sections(config).into_iter().flat_map(|(_, routes)| routes).collect()
}

/// Where files are uploaded: bodies are larger there.
fn uploads(config: &Config) -> impl Iterator<Item = String> {
    let takes_files = |route: &Route| matches!(route.doc.takes, Some((Content::Other("multipart/form-data"), _)));
    routes(config).into_iter().filter(takes_files).flat_map(|route| route.templates)
}

/// The router over a context, without its stack.
pub fn router(ctx: &Ctx) -> Router {
    let db = ctx.db.clone();
    let readiness = health::Readiness::new().check("database", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(Into::into) }
    });
    // What shoppers and developers read. The console is not among it: its pages show calls beside what was searched for.
    let read = journey::routes().merge(identity::routes()).merge(presentation::public_routes()).with_state(ctx.clone());
    let read = compressed(read.merge(websdk::routes(ctx)).merge(reference::routes(ctx)));
    operation::router(ctx, routes(&ctx.config))
        .merge(read)
        .merge(console::pages(ctx))
        .merge(credentials::page_routes().with_state(ctx.clone()))
        .merge(portal::page_routes().with_state(ctx.clone()))
        .merge(health::routes(readiness))
}

impl Network {
    /// Opens and migrates the database, seeds it if it is empty, and binds. Nothing is served yet.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { db, listen, serve, mut config, secrets, clock, seed, .. } = options;
        let Options { credentials_file, bootstrap_link_file, sftp_listen, mut outbound, .. } = options;
        let db = Db::open(&db).await?;
        db.migrate(MIGRATIONS).await?;
        let server = Server::bind(listen, serve).await?;
        if config.base_url.is_empty() {
            config.base_url = format!("{}://{}", server.scheme(), server.local_addr());
        }
        #[cfg(feature = "sftp")]
        let sftp = match sftp_listen {
            Some(listen) => Some(sftp::Bound::take(listen).await?),
            None => None,
        };
        #[cfg(feature = "sftp")]
        config.sftp.clone_from(&sftp.as_ref().map(sftp::Bound::local_addr));
        #[cfg(not(feature = "sftp"))]
        if sftp_listen.is_some() {
            return Err(StartError::NoSftp);
        }
        config.console_open |= console::may_be_open(server.local_addr(), &config.base_url);
        let boot = seed::boot(&db, clock.now()).await?;
        clock.set_offset(boot.clock_offset_us.max(clock.offset()));
        // Each start draws from another stream, so that a restart makes no id again.
        let random = |stream| seed.map_or_else(Random::system, |seed| Random::seeded(seed, stream));
        let ctx = Ctx::new(db.clone(), clock.clone(), random(boot.number), secrets.clone(), config.clone());
        let seeding = Ctx::new(db.clone(), clock.clone(), random(0), secrets, config);
        seed::seed(&seeding).await?;
        let now = clock.now();
        db.write(move |tx| Box::pin(start_sweeps(tx, now))).await?;
        kit::sealed::start(&db, &ctx.secrets, now).await?;
        let credentials = seed::credentials(&ctx).await?;
        if let (Some(path), Some(credentials)) = (&credentials_file, &credentials) {
            credentials.write(path)?;
        }
        if let (Some(path), Some(credentials)) = (&bootstrap_link_file, &credentials) {
            credentials.write_bootstrap_link(&ctx, path).await?;
        }

        outbound.allow_private |= ctx.config.webhooks_local;
        outbound.allow_http |= ctx.config.webhooks_local;
        let client = OutboundClient::new(outbound)?;
        let worker = Worker::new(db.clone(), clock.clone(), random(boot.number), ctx.poke.clone());
        let worker = kit::sealed::register(worker, &db, &clock, &ctx.secrets, sealed::SEALED);
        let worker = notifications::register(worker, &ctx, client);
        let worker = accounts::register(worker, &ctx);
        let worker = settlements::jobs::register(worker, &ctx);
        let worker = sweeps().fold(worker, |worker, sweep| sweep.register(worker, &ctx));
        let mut stack_config = StackConfig {
            request_id_header: http::HeaderName::from_static(KLARNA_CORRELATION_ID),
            ..StackConfig::default()
        };
        for template in uploads(&ctx.config) {
            stack_config = stack_config.body_limit_for(template, disputes::UPLOAD_BYTES_MAX);
        }
        #[cfg(feature = "sftp")]
        let sftp = match sftp {
            Some(bound) => Some(bound.ready(&ctx).await.map_err(seed::SeedError::Refused)?),
            None => None,
        };
        console::begin(&ctx, boot.number == 1).await.map_err(seed::SeedError::Refused)?;
        let router = stack(router(&ctx), stack_config);
        let router = console::calls::observe(router, &ctx, &routes(&ctx.config));
        Ok(Self {
            server,
            router,
            worker,
            ctx,
            credentials,
            #[cfg(feature = "sftp")]
            sftp,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What its operations work with.
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// The seeded accounts, if this database was seeded.
    pub fn credentials(&self) -> Option<&seed::Credentials> {
        self.credentials.as_ref()
    }

    /// Serves and works until `shutdown`, then finishes what is in flight.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { server, router, worker, ctx, .. } = self;
        let stop = CancellationToken::new();
        #[cfg(feature = "sftp")]
        let showing = {
            let (ctx, stop) = (ctx.clone(), shutdown.token());
            self.sftp.map(|sftp| tokio::spawn(sftp.run(ctx, stop)))
        };
        let working = tokio::spawn(worker.run(stop.clone()));
        let following = tokio::spawn(follow_clock(ctx.clone(), stop.clone()));
        let watching = tokio::spawn(console::follow(ctx.clone(), stop.clone()));
        let logging = tokio::spawn(console::calls::keep_flushed(ctx.clone(), stop.clone()));
        let sweeping = tokio::spawn(idempotency::keep_swept(ctx.db.clone(), ctx.clock.clone(), stop.clone()));
        server.run(router, shutdown).await;
        // After the last request, so that what it made is at least claimed once.
        stop.cancel();
        let tasks = [working, following, sweeping, logging, watching].into_iter();
        #[cfg(feature = "sftp")]
        let tasks = tasks.chain(showing);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(error = &error as &dyn std::error::Error, "a background task ended early");
            }
        }
    }
}

/// Starts and runs a network end.
///
/// # Errors
/// See [`StartError`].
pub async fn serve(options: Options, shutdown: Shutdown) -> Result<(), StartError> {
    Network::start(options).await?.run(shutdown).await;
    Ok(())
}

/// How often a process looks whether another one has moved the clock.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// Several processes share a database, and so a clock.
async fn follow_clock(ctx: Ctx, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
        match seed::clock_offset(&ctx.db).await {
            // The clock only ever moves ahead: an older reading lost the race against a move in this process.
            Ok(offset) if offset > ctx.clock.offset() => ctx.clock.set_offset(offset),
            Ok(_) => {}
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "looking at the stored clock"),
        }
    }
}
