//! What can be typed. Every flag can also be set by the environment variable that its help names.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

/// Distributes Klarna to an Acquiring Partner's merchants, and brings the network's other end along.
#[derive(Debug, Parser)]
#[command(
    name = "kontor",
    version,
    max_term_width = 110,
    after_help = "Try first:\n  kontor demo            both ends and a small shop, on http://127.0.0.1:4020\n  \
                  kontor demo --once     one payment through both ends, step by step, then exit\n\n\
                  Kontor is not affiliated with Klarna."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// What to log, for example `info` or `warn,gateway=debug`.
    #[arg(
        long,
        global = true,
        env = "KONTOR_LOG",
        default_value = "info,refinery_core=warn",
        hide_default_value = true,
        value_name = "FILTER"
    )]
    pub log: String,

    /// How log lines look: people's on a terminal, JSON otherwise.
    #[arg(long, global = true, env = "KONTOR_LOG_FORMAT", default_value = "auto", value_name = "auto|human|json")]
    pub log_format: kit::telemetry::Format,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Both ends and a shop on this machine, seeded: the first thing to try.
    Demo(DemoArgs),
    /// The network's end: a test environment of Klarna's interfaces, for the gateway or any other integration.
    Network(NetworkArgs),
    /// The Acquiring Partner's end: the API that Partners call.
    Gateway(Box<GatewayArgs>),
    /// Makes Partners and their API keys.
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Makes operators, whose keys onboard and manage Partners.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Shows webhooks on their way out, attempt by attempt, and sends them again.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Shows background work that was given up, and brings it back.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Brings a database up to this version's tables, then exits.
    Migrate(MigrateArgs),
    /// Makes and rotates the key that seals secrets at rest, and moves what is stored to the new one.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Prints the reference of one end as an OpenAPI 3.1 document: what it serves at `/openapi.json`.
    Reference(ReferenceArgs),
    /// Measures, side by side on this machine, and prints JSON.
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Args, Debug)]
pub struct ReferenceArgs {
    /// Which end's.
    pub side: Side,

    /// Where that end is reached.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Where a process keeps its things.
#[derive(Args, Clone, Debug)]
pub struct StorageArgs {
    /// Folder for the embedded database, keys and certificates; made when absent.
    #[arg(long, env = "KONTOR_DATA_DIR", default_value = ".kontor", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// `sqlite:PATH` or `postgres://user:password@host/name` [default: a SQLite file in the data folder].
    #[arg(long, env = "KONTOR_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Keys that seal secrets at rest, as `id:base64` lines [default: `secrets.key` in the data folder, made when absent].
    #[arg(long, env = "KONTOR_SECRETS_FILE", value_name = "FILE")]
    pub secrets_file: Option<PathBuf>,
}

/// How a process is reached.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// `dev` (a private CA and certificate in the data folder), `CERT,KEY` (PEM files) or `none` (plain http; the default,
    /// but beyond this machine only when it is said).
    #[arg(long, env = "KONTOR_TLS", value_name = "dev|none|CERT,KEY")]
    pub tls: Option<TlsChoice>,

    /// A further name or address for the `dev` certificate; may be repeated. Whoever comes by a name that begins with `js.`, as
    /// browsers do for Klarna's script, is not asked for a client certificate.
    #[arg(long = "tls-name", value_name = "NAME")]
    pub tls_names: Vec<String>,

    /// Writes the address that is listened on to this file, once everything is ready: for scripts that listen on port 0.
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsChoice {
    None,
    Dev,
    Files { certificate: PathBuf, key: PathBuf },
}

impl std::str::FromStr for TlsChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once(',')) {
            ("dev", _) => Ok(Self::Dev),
            ("none", _) => Ok(Self::None),
            (_, Some((certificate, key))) if !certificate.is_empty() && !key.is_empty() => {
                Ok(Self::Files { certificate: certificate.into(), key: key.into() })
            }
            _ => Err("use `dev`, `none`, or a certificate and a key file with a comma between them".to_owned()),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum DemoScene {
    /// The life of Partners, scripted: onboarded in five countries, rejected, suspended from either side, drifted apart and repaired, ended.
    Partners(DemoPartnersArgs),
}

#[derive(Args, Debug)]
pub struct DemoPartnersArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,

    /// The same ids, keys and tokens on every run.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    /// Something else than a payment.
    #[command(subcommand)]
    pub scene: Option<DemoScene>,

    /// Run the scripted payment on free ports and a new database, print what happened, and exit.
    #[arg(long)]
    pub once: bool,

    /// With --once: print JSON instead of a table.
    #[arg(long, requires = "once")]
    pub json: bool,

    /// The same ids, keys and tokens on every run with an empty database.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// Folder for the databases; made when absent.
    #[arg(long, env = "KONTOR_DATA_DIR", default_value = ".kontor/demo", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:4000", value_name = "ADDRESS")]
    pub gateway_listen: SocketAddr,

    /// Where the network's end listens.
    #[arg(long, default_value = "127.0.0.1:4010", value_name = "ADDRESS")]
    pub network_listen: SocketAddr,

    /// Show the network's settlement reports over SFTP here, for example 127.0.0.1:4001 [default: no SFTP].
    #[arg(long, value_name = "ADDRESS")]
    pub sftp_listen: Option<SocketAddr>,

    /// Where the shop listens.
    #[arg(long, default_value = "127.0.0.1:4020", value_name = "ADDRESS")]
    pub shop_listen: SocketAddr,
}

#[derive(Args, Clone, Debug)]
pub struct NetworkArgs {
    /// Address to listen on.
    #[arg(long, env = "KONTOR_NETWORK_LISTEN", default_value = "127.0.0.1:4010", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub storage: StorageArgs,

    #[command(flatten)]
    pub reach: ListenArgs,

    /// Url under which callers and shoppers reach this end [default: the address listened on].
    #[arg(long, env = "KONTOR_NETWORK_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,

    /// On an empty database an Acquiring Partner and a Partner are made; their ids and keys are written here as JSON.
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,

    /// Each start writes a link here that shows a new API key of the seeded Acquiring Partner, once, to whoever opens it first.
    #[arg(long, value_name = "FILE")]
    pub bootstrap_link_file: Option<PathBuf>,

    /// Show the reports of settlements over SFTP here; Klarna's own server listens on port 4001 [default: no SFTP].
    #[arg(long, env = "KONTOR_SFTP_LISTEN", value_name = "ADDRESS")]
    pub sftp_listen: Option<SocketAddr>,

    /// The same ids, keys and tokens on every run with an empty database. Never for anything that others can reach.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Which rate limits hold.
    #[arg(long, env = "KONTOR_RATE_LIMITS", default_value = "test", value_name = "SET")]
    pub rate_limits: RateLimits,

    /// Let webhooks go to plain http, any port and private addresses: for receivers on this machine or network.
    #[arg(long)]
    pub local_webhooks: bool,

    /// Markets and currencies beside those that are built in: a JSON file, see docs/markets.md.
    #[arg(long, env = "KONTOR_MARKETS_FILE", value_name = "FILE")]
    pub markets: Option<PathBuf>,

    /// Leave the `/testing` controls out.
    #[arg(long)]
    pub no_testing: bool,

    /// How many calls the request log of the console keeps; 0 switches it off.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub request_log: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RateLimits {
    /// The live environment's numbers.
    Live,
    /// The test environment's numbers: a quarter of the live ones.
    Test,
    /// No limits: for load tests.
    Off,
}

#[derive(Args, Clone, Debug)]
pub struct GatewayArgs {
    /// Address to listen on.
    #[arg(long, env = "KONTOR_GATEWAY_LISTEN", default_value = "127.0.0.1:4000", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub storage: StorageArgs,

    #[command(flatten)]
    pub reach: ListenArgs,

    /// Url under which Partners, customers and Klarna's webhooks reach this gateway [default: the address listened on].
    #[arg(long, env = "KONTOR_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<url::Url>,

    #[command(flatten)]
    pub klarna: KlarnaArgs,

    /// Allow plain http and addresses of this machine in return urls and Partners' webhooks: for development.
    #[arg(long)]
    pub local_targets: bool,

    /// Requests per second that one Partner may make [default: no limit].
    #[arg(long, env = "KONTOR_PARTNER_RATE_LIMIT", value_name = "N")]
    pub partner_rate_limit: Option<u32>,

    /// A call to Klarna whose answer is still missing after this long is repeated, with the same key.
    #[arg(long, env = "KONTOR_RECOVERY_DELAY_SECONDS", default_value_t = 45, value_name = "N")]
    pub recovery_delay_seconds: u32,

    /// Module of the Web SDK on the hosted page; the page's content-security-policy follows it [default: Klarna's own for Klarna's
    /// hosts, else the one that the network end serves].
    #[arg(long, env = "KONTOR_WEB_SDK_URL", value_name = "URL")]
    pub web_sdk_url: Option<url::Url>,

    /// Send Partners' bank account numbers hashed: a JSON file with `memory_kib`, `iterations`, `parallelism`, `output_len`,
    /// `salt` (Base64), `sanitization_method` and `hash_method`, as agreed with Klarna [default: in the clear].
    #[arg(long, env = "KONTOR_BANK_ACCOUNT_HASHING_FILE", value_name = "FILE")]
    pub bank_account_hashing_file: Option<PathBuf>,

    /// What comparisons with Klarna's accounts found, and what became of the rows of imports, is kept for this long.
    #[arg(long, env = "KONTOR_PARTNER_HISTORY_DAYS", default_value_t = 90, value_name = "N")]
    pub partner_history_days: u32,

    /// Give every Partner that is onboarded a user of Klarna's portal, under its contact's e-mail address: where you have no interface of
    /// your own that leads there.
    #[arg(long, env = "KONTOR_PORTAL_USERS_AT_ONBOARDING")]
    pub portal_users_at_onboarding: bool,

    /// A webhook of Klarna's that tells of something further in the future is refused. A network end whose clock is moved
    /// needs more.
    #[arg(long, env = "KONTOR_KLARNA_CLOCK_AHEAD_SECONDS", default_value_t = 300, value_name = "N")]
    pub klarna_clock_ahead_seconds: u32,
}

/// The way to Klarna: a credentials file, or its parts.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Klarna")]
pub struct KlarnaArgs {
    /// JSON with `base_url` and `acquiring_partner.{account_id, api_key}`, as the network's end writes it.
    #[arg(long, env = "KONTOR_KLARNA_CREDENTIALS_FILE", value_name = "FILE")]
    pub klarna_credentials_file: Option<PathBuf>,

    /// The network's url; Klarna's test environment is https://api-global.test.klarna.com.
    #[arg(long, env = "KONTOR_KLARNA_URL", value_name = "URL")]
    pub klarna_url: Option<url::Url>,

    /// The Acquiring Partner's account, `krn:partner:global:account:…`.
    #[arg(long, env = "KONTOR_KLARNA_ACCOUNT_ID", value_name = "KRN")]
    pub klarna_account_id: Option<String>,

    /// The Acquiring Partner's API key. Only by environment, so that it stays out of process lists.
    #[arg(
        long = "klarna-api-key-from-environment",
        env = "KONTOR_KLARNA_API_KEY",
        hide = true,
        hide_env_values = true
    )]
    pub klarna_api_key: Option<SecretString>,

    /// Certificates (PEM) to trust beside the public ones, for a network end with a private CA.
    #[arg(long, env = "KONTOR_KLARNA_CA_FILE", value_name = "FILE")]
    pub klarna_ca_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum PartnerCommand {
    /// Makes a Partner and prints its first API key, once.
    Create {
        /// Trade name.
        #[arg(long)]
        name: String,
        /// The Partner's account at Klarna, `krn:partner:global:account:…`.
        #[arg(long, value_name = "KRN")]
        klarna_account_id: String,
        /// Its payment account, needed once it has several.
        #[arg(long, value_name = "KRN")]
        payment_account_id: Option<String>,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Lists Partners and their keys (never the keys' text).
    List {
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Makes a further API key and prints it, once.
    CreateKey {
        /// Which Partner, `par_…`.
        partner_id: String,
        /// What the key is for.
        #[arg(long, default_value = "")]
        description: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Refuses new payments of a Partner; those that exist can be captured, refunded and voided.
    Suspend {
        /// Which Partner, `par_…`.
        partner_id: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Takes new payments of a suspended Partner again.
    Activate {
        /// Which Partner, `par_…`.
        partner_id: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Ends a Partner, here and at Klarna, for good; payments that exist can be captured, refunded and voided.
    Offboard {
        /// Which Partner, `par_…`.
        partner_id: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Makes Partners of the rows of a CSV or JSON Lines file.
    ///
    /// Calls the gateway, which judges each row as it judges POST /v1/partners. What became of each row goes into a result file. May be
    /// stopped, killed and begun again at any time: the same file goes on where it stopped, and nothing is made twice.
    Import(ImportArgs),
    /// Writes Partners into a file that can be imported.
    Export(ExportArgs),
    /// Prints the header of a CSV file of Partners.
    Template(TemplateArgs),
    /// Takes a Partner that was made by `create` into the books: from then on it is managed like any other.
    Adopt {
        /// Which Partner, `par_…`.
        partner_id: String,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Shows how far the comparison of all accounts with Klarna's is, and what it found.
    ///
    /// The gateway compares every account once a day by itself, within Klarna's rate limits, and goes on where it was stopped.
    Alignment {
        /// Compare all of them now. The gateway must be running.
        #[arg(long)]
        all: bool,
        /// Stay until those that are due are compared. May be stopped and begun again at any time.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Disables an API key from the next request on.
    DisableKey {
        /// Which Partner, `par_…`.
        partner_id: String,
        /// Which of its keys.
        key_id: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
}

/// The gateway that is called, and as whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Gateway")]
pub struct OperatorArgs {
    /// The gateway's url.
    #[arg(long, env = "KONTOR_GATEWAY_URL", default_value = "http://127.0.0.1:4000", value_name = "URL")]
    pub gateway: url::Url,

    /// A file with an operator's key; `kontor operator create` makes one [default: the key in KONTOR_OPERATOR_KEY].
    #[arg(long, env = "KONTOR_OPERATOR_KEY_FILE", value_name = "FILE")]
    pub operator_key_file: Option<PathBuf>,

    /// The key itself. Only by environment, so that it stays out of process lists.
    #[arg(long = "operator-key-from-environment", env = "KONTOR_OPERATOR_KEY", hide = true, hide_env_values = true)]
    pub operator_key: Option<SecretString>,

    /// Certificates (PEM) to trust beside the public ones, for a gateway with a private CA.
    #[arg(long, env = "KONTOR_GATEWAY_CA_FILE", value_name = "FILE")]
    pub gateway_ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// A line per Partner, a column per field; `kontor partner template` prints the header.
    Csv,
    /// A JSON object per line, as POST /v1/partners takes it.
    Jsonl,
}

#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// The file, `.csv` or `.jsonl`.
    pub file: PathBuf,

    /// Judge every row, and make nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Rows may change Partners that are known by their reference.
    #[arg(long)]
    pub update: bool,

    /// Submit the Partners to Klarna; a row that is not complete enough for that is faulty.
    #[arg(long)]
    pub submit: bool,

    /// With --submit: do not wait for Klarna's answers. The gateway goes on by itself; import the file again to see them.
    #[arg(long, requires = "submit")]
    pub no_wait: bool,

    /// What the file is [default: what its name tells].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FileFormat>,

    /// Where to write what became of each row [default: FILE.result.csv or FILE.result.jsonl beside the file].
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,

    #[command(flatten)]
    pub operator: OperatorArgs,
}

#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Where to, `.csv` or `.jsonl`; readable by its owner only.
    pub file: PathBuf,

    /// With what is of persons: contacts, how they signed up, stakeholders, tax numbers, bank accounts.
    #[arg(long)]
    pub personal: bool,

    /// Only Partners in this state.
    #[arg(long)]
    pub state: Option<String>,

    /// What the file is to be [default: what its name tells].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FileFormat>,

    #[command(flatten)]
    pub operator: OperatorArgs,
}

#[derive(Args, Clone, Debug)]
pub struct TemplateArgs {
    /// Entries of each list.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub entries: u8,
}

#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Makes an operator and prints its key, once.
    Create {
        /// Who or what it is: a person, a team, a system.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Lists operators (never the keys' text).
    List {
        #[command(flatten)]
        storage: StorageArgs,
    },
    /// Disables an operator's key from the next request on.
    Disable {
        /// Which operator.
        operator_id: String,
        #[command(flatten)]
        storage: StorageArgs,
    },
}

/// Whose database a command is about.
#[derive(Args, Clone, Debug)]
pub struct SideArgs {
    /// Which end's database.
    #[arg(long, default_value = "gateway")]
    pub side: Side,
    #[command(flatten)]
    pub storage: StorageArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Gateway,
    Network,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Network => "network",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// Lists deliveries of an owner (a Partner, or an account at the network's end), newest first.
    List {
        /// `par_…` at the gateway, `krn:partner:global:account:…` at the network's end.
        owner: String,
        /// Only those in this state: PENDING, RETRYING, DELIVERED, FAILED or DROPPED.
        #[arg(long)]
        state: Option<String>,
        /// How many at the most.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        #[command(flatten)]
        side: SideArgs,
    },
    /// Shows one delivery with all its attempts.
    Show {
        /// Whose it is.
        owner: String,
        /// Which one.
        delivery_id: String,
        #[command(flatten)]
        side: SideArgs,
    },
    /// Sends a delivery again, the same bytes, by the whole schedule.
    Replay {
        /// Whose it is.
        owner: String,
        /// Which one.
        delivery_id: String,
        #[command(flatten)]
        side: SideArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Counts jobs by kind and state.
    Counts {
        #[command(flatten)]
        side: SideArgs,
    },
    /// Lists dead letters, latest first.
    Dead {
        /// How many at the most.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        #[command(flatten)]
        side: SideArgs,
    },
    /// Brings a dead letter back to life.
    Revive {
        /// The job's kind.
        kind: String,
        /// The job's key.
        key: String,
        #[command(flatten)]
        side: SideArgs,
    },
}

#[derive(Args, Debug)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub side: SideArgs,
}

#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Makes a new key file; never overwrites one.
    Generate {
        /// Where to.
        file: PathBuf,
    },
    /// Puts a new key on top of a key file; what was sealed before can still be opened.
    ///
    /// Then: restart every process that uses the file (each moves what is stored to the new key, in the background), and once
    /// `kontor secrets check` finds nothing under the old key any more, on both ends if both use the file, take the old key out. Keep it
    /// as long as backups from before.
    Rotate {
        /// Which.
        file: PathBuf,
    },
    /// Moves everything that is sealed under older keys to the current one.
    ///
    /// Works in small transactions beside running processes, never overwrites what somebody else changed meanwhile, and may be
    /// stopped and started again at any time. First answers kept for `Idempotency-Key` are moved too, so there is no need to wait the
    /// day until they expire. Fails if a value does not open.
    Reseal {
        #[command(flatten)]
        side: SideArgs,
    },
    /// Counts what is sealed by key, and says which keys may go. Fails if a key is missing.
    Check {
        #[command(flatten)]
        side: SideArgs,
    },
    /// Makes a new key that signs the network end's `id_token`s.
    ///
    /// It is published at once beside the one of before, signs as soon as nobody can be without it, and the old one is deleted when all
    /// that it signed has expired. The network end does the same by itself every ninety days. Works beside running processes.
    RotateSignIn {
        /// Delete the keys of before now: for keys that somebody else may have. What they signed is refused.
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        storage: StorageArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Durable payments per second at each end, the latency that the gateway adds, start-up time and memory.
    Payments(BenchArgs),
    /// Calls per second at the network's end by class of operation, the slowest list, memory; with `--rows`, again with as many payments stored.
    Network(BenchArgs),
    /// Imports invented Partners with faulty rows among them, kills the command and then the gateway halfway and goes on, checks that
    /// nothing was made twice at either end, and compares all accounts.
    Partners(BenchPartnersArgs),
}

#[derive(Args, Clone, Debug)]
pub struct BenchPartnersArgs {
    /// How many Partners.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub partners: u64,

    /// One row in so many is faulty; 0 for none.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub faulty_every: u64,

    /// The same Partners for the same number.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// What file they stand in.
    #[arg(long, default_value = "csv", value_name = "FORMAT")]
    pub format: FileFormat,

    /// Which rate limits the network's end holds to.
    #[arg(long, default_value = "off", value_name = "SET")]
    pub rate_limits: RateLimits,

    /// Only write the file, for the Acquiring Partner of --credentials-file.
    #[arg(long, value_name = "FILE", requires = "credentials_file")]
    pub write: Option<PathBuf>,

    /// What the network's end wrote at its start.
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,

    /// Measure on this PostgreSQL server (a database per run is made on it) instead of SQLite.
    #[arg(long, env = "KONTOR_BENCH_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Seconds per measurement.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub seconds: u64,

    /// Callers at once in the throughput measurements.
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub connections: usize,

    /// Fill the network's database with this many payments, and compare with few.
    #[arg(long, value_name = "N")]
    pub rows: Option<u64>,

    /// Measure on this PostgreSQL server (a database per run is made on it) instead of SQLite.
    #[arg(long, env = "KONTOR_BENCH_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tls_choices_are_read_and_others_refused_with_what_would_pass() {
        assert_eq!("dev".parse(), Ok(TlsChoice::Dev));
        let files = TlsChoice::Files { certificate: "a.pem".into(), key: "b.pem".into() };
        assert_eq!("a.pem,b.pem".parse(), Ok(files));
        for wrong in ["", "a.pem", ",b.pem", "a.pem,"] {
            assert!(wrong.parse::<TlsChoice>().unwrap_err().contains("a certificate and a key file"), "{wrong}");
        }
    }
}
