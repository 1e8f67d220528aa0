//! The SFTP server of this end: each user sees the settlement files of its account.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::sftp::{Failure, File, Library, Server, StartError};
use kit::http::ApiError;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::credentials;
use crate::credentials::sftp_user::{self, SftpUser};
use crate::ctx::Ctx;
use crate::settlements::files;

/// A server that is bound.
pub struct Bound(Server);

/// One that has its host key, too.
pub struct Ready {
    server: Server,
    host_key: Zeroizing<[u8; 32]>,
}

impl Bound {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn take(address: SocketAddr) -> Result<Self, StartError> {
        Ok(Self(Server::bind(address).await?))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Reads the host key, or makes it.
    ///
    /// # Errors
    /// As [`credentials::sftp_host_key`].
    pub async fn ready(self, ctx: &Ctx) -> Result<Ready, ApiError> {
        Ok(Ready { server: self.0, host_key: credentials::sftp_host_key(ctx).await? })
    }
}

impl Ready {
    /// Serves until `stop`.
    pub async fn run(self, ctx: Ctx, stop: CancellationToken) {
        self.server.run(Arc::new(Reports(ctx)), &self.host_key, stop).await;
    }
}

/// What the server shows.
struct Reports(Ctx);

impl Library for Reports {
    type Reader = SftpUser;

    async fn sign_in(&self, name: &str, password: &str, address: IpAddr) -> Result<Option<SftpUser>, Failure> {
        let found = sftp_user::sign_in(&self.0, name, password, Some(address)).await;
        found.map_err(|error| error.to_string().into())
    }

    async fn may_read(&self, reader: &SftpUser) -> Result<bool, Failure> {
        Ok(sftp_user::is_active(&self.0, reader).await?)
    }

    async fn list(&self, reader: &SftpUser, after: &str, limit: u32) -> Result<Vec<File>, Failure> {
        let found = files::list(&self.0, &reader.account, after, limit.into()).await?;
        Ok(found.into_iter().map(shown).collect())
    }

    async fn find(&self, reader: &SftpUser, name: &str) -> Result<Option<File>, Failure> {
        Ok(files::find(&self.0, &reader.account, name).await?.map(shown))
    }

    async fn read(&self, reader: &SftpUser, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        Ok(files::read(&self.0, &reader.account, name, offset, length).await?)
    }
}

fn shown(file: files::File) -> File {
    let seconds = file.modified_at / kit::clock::SECOND_US;
    File {
        name: file.name,
        size: file.size.try_into().unwrap_or_default(),
        modified_at: seconds.try_into().unwrap_or_default(),
    }
}
