//! What a server shows, and to whom.

use std::future::Future;
use std::net::IpAddr;

/// What went wrong inside. It is logged; the client hears that it failed, and nothing more.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name: no slash in it, and neither `.` nor `..`.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Seconds since 1970, UTC.
    pub modified_at: u32,
}

/// Files, and who may read which. One value serves all connections.
pub trait Library: Send + Sync + 'static {
    /// Somebody who was let in.
    type Reader: Send + Sync + 'static;

    /// Lets somebody in; `None` for a wrong name or password, and for everybody else who may not.
    ///
    /// # Errors
    /// [`Failure`].
    fn sign_in(
        &self,
        name: &str,
        password: &str,
        address: IpAddr,
    ) -> impl Future<Output = Result<Option<Self::Reader>, Failure>> + Send;

    /// Whether a reader still may read: asked whenever a file or the folder is opened.
    ///
    /// # Errors
    /// [`Failure`].
    fn may_read(&self, reader: &Self::Reader) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// At most `limit` of a reader's files in the order of their names, from behind the name `after`.
    ///
    /// # Errors
    /// [`Failure`].
    fn list(
        &self,
        reader: &Self::Reader,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<File>, Failure>> + Send;

    /// A file of a reader.
    ///
    /// # Errors
    /// [`Failure`].
    fn find(&self, reader: &Self::Reader, name: &str) -> impl Future<Output = Result<Option<File>, Failure>> + Send;

    /// `length` bytes of a file from `offset` on; fewer at its end only, none behind it.
    ///
    /// # Errors
    /// [`Failure`].
    fn read(
        &self,
        reader: &Self::Reader,
        name: &str,
        offset: u64,
        length: u32,
    ) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
}
