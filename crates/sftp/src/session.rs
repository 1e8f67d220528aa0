//! One connection: who it is, and the channels in it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session as Link};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio_util::sync::CancellationToken;

use crate::folder::Folder;
use crate::library::Library;

/// Channels of one connection. A client needs one.
const CHANNELS_MAX: usize = 4;
/// The subsystem that is served; shells, commands and forwarding are not.
const SUBSYSTEM: &str = "sftp";

/// See the module.
pub(crate) struct Session<L: Library> {
    library: Arc<L>,
    address: IpAddr,
    reader: Option<Arc<L::Reader>>,
    /// Told when somebody is in.
    signed_in: CancellationToken,
    /// Opened, and waiting for what they are to be.
    waiting: HashMap<ChannelId, Channel<Msg>>,
    /// Opened and not closed.
    channels: usize,
}

impl<L: Library> Session<L> {
    pub(crate) fn new(library: Arc<L>, address: IpAddr, signed_in: CancellationToken) -> Self {
        Self { library, address, reader: None, signed_in, waiting: HashMap::new(), channels: 0 }
    }
}

impl<L: Library> Handler for Session<L> {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        match self.library.sign_in(user, password, self.address).await {
            Ok(Some(reader)) => {
                self.reader = Some(Arc::new(reader));
                self.signed_in.cancel();
                Ok(Auth::Accept)
            }
            Ok(None) => Ok(Auth::reject()),
            Err(error) => {
                tracing::warn!(error = &*error as &dyn std::error::Error, "signing a reader in");
                Ok(Auth::reject())
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Link,
    ) -> Result<(), Self::Error> {
        if self.channels >= CHANNELS_MAX {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels += 1;
        self.waiting.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, link: &mut Link) -> Result<(), Self::Error> {
        link.close(channel)
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Link) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        self.channels = self.channels.saturating_sub(1);
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, link: &mut Link) -> Result<(), Self::Error> {
        let channel = self.waiting.remove(&id).filter(|_| name == SUBSYSTEM);
        let (Some(channel), Some(reader)) = (channel, &self.reader) else { return link.channel_failure(id) };
        link.channel_success(id)?;
        let folder = Folder::new(Arc::clone(&self.library), Arc::clone(reader));
        // Goes on in a task of its own, until the channel ends.
        russh_sftp::server::run(channel.into_stream(), folder).await;
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, link: &mut Link) -> Result<(), Self::Error> {
        link.channel_failure(channel)
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], link: &mut Link) -> Result<(), Self::Error> {
        link.channel_failure(channel)
    }
}
