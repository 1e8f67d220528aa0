//! The first accounts of an empty database, and the file that hands them to whoever will call.
//!
//! The file holds secrets in the clear, which the database does not: API keys are stored as digests. So what was seeded is kept
//! sealed beside them, and the file is written anew at each start.

mod store;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use kit::db::{Db, DbError, Tx};
use kit::http::ApiError;
use kit::random::Random;
use p256::pkcs8::EncodePrivateKey as _;
use protocol::{AcquiringAccountId, PartnerAccountId, PaymentAccountId, PaymentProductId, PaymentProfileId};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

use crate::accounts::{self, PaymentAccountRow, store as rows};
use crate::credentials::certificate::{self, NewCertificate, SigningRequest, Usage};
use crate::credentials::certificate_authority::{Authority, authority, draw_key};
use crate::credentials::{BootstrapLink, create_api_key, create_bootstrap_link, create_client_identifier};
use crate::ctx::Ctx;
use crate::sealed::SEED_SECRET;
use crate::{programs, tokens};

/// The one row of `seed_secrets`.
const SECRET_NAME: &str = "credentials";
/// "Book stores": `default_merchant_category_code` of the seeded Partner.
const MERCHANT_CATEGORY_CODE: &str = "5942";

/// Why the seed failed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The rows cannot be written.
    #[error("seeding the database")]
    Store(#[from] DbError),
    /// A customer token, say, was refused.
    #[error("seeding the database")]
    Refused(#[from] ApiError),
    /// The key pair for signed links cannot be made.
    #[error("making the seeded signing key and certificate")]
    Certificate(#[from] rcgen::Error),
    /// What was sealed cannot be opened: most likely this start has other keys than the first.
    #[error("opening the seeded secrets; are these the secret keys that this database began with?")]
    Sealed(#[from] kit::secret_box::OpenError),
    /// What was sealed is not what this version wrote.
    #[error("reading the seeded secrets")]
    Shape(#[from] serde_json::Error),
    /// The credentials file cannot be written.
    #[error("writing {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// The credentials file (architecture: the command line). `Debug` shows no secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Where the network is reached: of this start, not of the first.
    pub base_url: String,
    /// The Acquiring Partner.
    pub acquiring_partner: AcquiringPartnerCredentials,
    /// A Partner under it.
    pub partner: PartnerCredentials,
}

/// See [`Credentials`].
#[derive(Clone, Serialize, Deserialize)]
pub struct AcquiringPartnerCredentials {
    pub account_id: String,
    pub api_key: String,
    pub client_id: String,
    pub payment_acquiring_account_id: String,
    pub payment_profile_id: String,
    pub jwt_signing: JwtSigning,
}

/// Signs links into the portal and user access.
#[derive(Clone, Serialize, Deserialize)]
pub struct JwtSigning {
    pub private_key_pem: String,
    pub certificate_pem: String,
}

/// See [`Credentials`].
#[derive(Clone, Serialize, Deserialize)]
pub struct PartnerCredentials {
    pub account_id: String,
    pub api_key: String,
    pub client_id: String,
    /// Guaranteed.
    pub payment_account_id: String,
    pub payment_account_id_non_guaranteed: String,
    /// Of a customer who may be charged without being present.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub customer_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("base_url", &self.base_url)
            .field("acquiring_partner", &self.acquiring_partner.account_id)
            .field("partner", &self.partner.account_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Writes the file, readable by its owner only; whoever reads it sees the old one or the new one, whole.
    ///
    /// # Errors
    /// [`SeedError::File`].
    pub fn write(&self, path: &Path) -> Result<(), SeedError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_private(path, &text)
    }

    /// Makes a link that shows a new API key of the Acquiring Partner once, and writes it to a file as private as the other.
    ///
    /// # Errors
    /// [`SeedError`].
    pub async fn write_bootstrap_link(&self, ctx: &Ctx, path: &Path) -> Result<(), SeedError> {
        let account: PartnerAccountId = self.acquiring_partner.account_id.parse().map_err(ApiError::internal)?;
        let link = ctx
            .write(|| {
                let (ctx, account) = (ctx.clone(), account.clone());
                move |tx: &mut Tx| -> kit::db::UnitFuture<'_, Result<BootstrapLink, ApiError>> {
                    Box::pin(async move { create_bootstrap_link(tx, &ctx, &account).await })
                }
            })
            .await?;
        write_private(path, &format!("{}\n", link.url))
    }
}

/// Whoever reads it sees the old file or the new one, whole.
fn write_private(path: &Path, text: &str) -> Result<(), SeedError> {
    let failed = |source| SeedError::File { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}

/// One start of a process on this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// 1 at the first start.
    pub number: u64,
    /// How far the clock was moved ahead, in microseconds.
    pub clock_offset_us: i64,
}

/// Counts this start.
///
/// # Errors
/// [`DbError`].
pub async fn boot(db: &Db, now: i64) -> Result<Boot, DbError> {
    let row: store::InstallationRow = db.write(move |tx| Box::pin(store::boot(tx, now))).await?;
    Ok(Boot { number: row.boots.unsigned_abs(), clock_offset_us: row.clock_offset_us })
}

/// How far the clock of this installation was moved ahead, in microseconds.
///
/// # Errors
/// [`DbError`].
pub async fn clock_offset(db: &Db) -> Result<i64, DbError> {
    db.read(|tx| Box::pin(store::clock_offset(tx))).await
}

/// Remembers how far the clock is ahead, in microseconds; it never goes back. Returns what holds now.
///
/// # Errors
/// [`DbError`].
pub async fn move_clock(db: &Db, offset_us: i64) -> Result<i64, DbError> {
    db.write(move |tx| Box::pin(store::set_clock_offset(tx, offset_us))).await
}

/// Puts the clock back to a distance of before, in the transaction that puts everything else back.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn set_clock_back(tx: &mut Tx, offset_us: i64) -> Result<(), DbError> {
    store::put_clock_offset(tx, offset_us).await
}

/// What was seeded, with the base url of this start; `None` if this database was not seeded.
///
/// # Errors
/// [`SeedError`].
pub async fn credentials(ctx: &Ctx) -> Result<Option<Credentials>, SeedError> {
    let sealed: Option<Vec<u8>> =
        ctx.db.read(|tx| Box::pin(store::secret(tx, SECRET_NAME))).await.map_err(SeedError::Store)?;
    let Some(sealed) = sealed else { return Ok(None) };
    let opened = ctx.secrets.open(SEED_SECRET.place(&[SECRET_NAME]), &sealed)?;
    let mut credentials: Credentials = serde_json::from_slice(&opened)?;
    credentials.base_url.clone_from(&ctx.config.base_url);
    Ok(Some(credentials))
}

/// Seeds an empty database; does nothing to any other. `ctx` draws from the seed's own stream, so that the result does not depend on
/// how often the process started before it got this far.
///
/// # Errors
/// [`SeedError`].
pub async fn seed(ctx: &Ctx) -> Result<(), SeedError> {
    // Before anything asks for them inside a transaction.
    tokens::keys(ctx).await?;
    let authority = authority(ctx).await?;
    if ctx.db.read(|tx| Box::pin(rows::any_account(tx))).await? {
        return Ok(());
    }
    let ids = Ids::draw(ctx);
    let signing_key = signing_key(&ctx.random)?;
    let ctx_of_unit = ctx.clone();
    ctx.db
        .write(move |tx| -> kit::db::UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move {
                store::lock(tx).await?;
                // Asked again under the lock: another process may have been faster.
                if rows::any_account(tx).await? {
                    return Ok(());
                }
                fill(tx, &ctx_of_unit, ids, &authority, &signing_key).await
            })
        })
        .await?;
    Ok(())
}

struct Ids {
    acquiring_partner: PartnerAccountId,
    partner: PartnerAccountId,
    acquiring_account: AcquiringAccountId,
    profile: PaymentProfileId,
    product: PaymentProductId,
    guaranteed: PaymentAccountId,
    non_guaranteed: PaymentAccountId,
}

impl Ids {
    fn draw(ctx: &Ctx) -> Self {
        let now = ctx.clock.now();
        let account = || PartnerAccountId::new_test(&ctx.random.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 8));
        Self {
            acquiring_partner: account(),
            partner: account(),
            acquiring_account: AcquiringAccountId::new(ctx.random.id(now)),
            profile: PaymentProfileId::new(ctx.random.id(now)),
            product: PaymentProductId::new(ctx.random.id(now)),
            guaranteed: PaymentAccountId::new(ctx.random.id(now)),
            non_guaranteed: PaymentAccountId::new(ctx.random.id(now)),
        }
    }
}

async fn fill(tx: &mut Tx, ctx: &Ctx, ids: Ids, authority: &Authority, signing_key: &KeyPair) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let (above, partner) = (&ids.acquiring_partner, &ids.partner);
    accounts::open(tx, above, None, "acquiring-partner", "Example Acquiring Partner", now).await?;
    accounts::open(tx, partner, Some(above), "partner-1", "Tallow & Tern", now).await?;
    let acquiring_account = ids.acquiring_account.as_str();
    rows::insert_acquiring_account(tx, above.as_str(), acquiring_account, "acquiring-1", now).await?;
    programs::open_profiles(tx, above, &ids.profile, now).await?;
    rows::insert_payment_product(tx, partner.as_str(), ids.product.as_str(), ids.profile.as_str(), now).await?;
    for (id, reference, guaranteed) in
        [(&ids.guaranteed, "pa-guaranteed", true), (&ids.non_guaranteed, "pa-non-guaranteed", false)]
    {
        let row = PaymentAccountRow {
            account_id: partner.to_string(),
            payment_account_id: id.to_string(),
            product_id: ids.product.to_string(),
            product_state: String::new(),
            payment_acquiring_account_id: acquiring_account.to_owned(),
            reference: reference.to_owned(),
            guaranteed,
            merchant_category_code: MERCHANT_CATEGORY_CODE.to_owned(),
            state: "ENABLED".to_owned(),
            price_plan: None,
        };
        let links = rows::Links { partner_business_entity_id: None, default_store_group_id: None };
        rows::insert_payment_account(tx, &row, &links, now).await?;
    }
    let above_key = create_api_key(tx, &ctx.random, above, "seeded", now).await?;
    let partner_key = create_api_key(tx, &ctx.random, partner, "seeded", now).await?;
    let request = SigningRequest {
        public_key: signing_key.public_key_raw().to_vec(),
        common_name: Some(above.short().to_owned()),
    };
    let new = NewCertificate { account: above, usage: Usage::JwtSigning, request: &request, description: "seeded" };
    let certificate = certificate::issue(tx, &ctx.random, authority, &new, now).await?.certificate;
    let jwt_signing = JwtSigning { private_key_pem: signing_key.serialize_pem(), certificate_pem: certificate };
    let credentials = Credentials {
        base_url: String::new(),
        acquiring_partner: AcquiringPartnerCredentials {
            account_id: above.to_string(),
            api_key: above_key.secret,
            client_id: create_client_identifier(tx, &ctx.random, above, "seeded", now).await?,
            payment_acquiring_account_id: acquiring_account.to_owned(),
            payment_profile_id: ids.profile.to_string(),
            jwt_signing,
        },
        partner: PartnerCredentials {
            account_id: partner.to_string(),
            api_key: partner_key.secret,
            client_id: create_client_identifier(tx, &ctx.random, partner, "seeded", now).await?,
            payment_account_id: ids.guaranteed.to_string(),
            payment_account_id_non_guaranteed: ids.non_guaranteed.to_string(),
            customer_token: Some(tokens::seed_customer_token(tx, ctx, partner, now).await?.to_string()),
        },
    };
    let text = serde_json::to_vec(&credentials).map_err(ApiError::internal)?;
    let sealed = ctx.secrets.seal(SEED_SECRET.place(&[SECRET_NAME]), &text);
    store::insert_secret(tx, SECRET_NAME, &sealed, now).await?;
    // Last: whatever is drawn from here on leaves the ids above as they were.
    accounts::seed(tx, ctx, above).await?;
    accounts::seed(tx, ctx, partner).await
}

/// The key that signs links into the portal, from the context's randomness, so that a seed repeats it.
fn signing_key(random: &Random) -> Result<KeyPair, rcgen::Error> {
    let der = draw_key(random).to_pkcs8_der().map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let der = PrivatePkcs8KeyDer::from(der.as_bytes().to_vec());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
}
