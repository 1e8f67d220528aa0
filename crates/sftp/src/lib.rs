//! An SFTP server that shows one folder of files for reading.
//!
//! Whoever has files to show implements [`Library`]: who may come in, and what each reader sees. [`Server`] does the rest: a host key,
//! names and passwords, sessions, and the file protocol, of which only reading is served.
//!
//! It is a crate of its own because SSH weighs more than everything else that we build on. Never here: a domain, a database, a file
//! system. Begin reading at [`Library`], then `session` (SSH) and `folder` (SFTP).

mod folder;
mod library;
mod server;
mod session;

pub use library::{Failure, File, Library};
pub use server::{Server, StartError, known_host};
