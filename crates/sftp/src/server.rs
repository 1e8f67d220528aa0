//! The listener: connections, how many of them, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Config, run_stream};
use russh::{Disconnect, MethodKind, MethodSet, SshId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::library::Library;
use crate::session::Session;

/// Connections at once, of all readers together.
const CONNECTIONS_MAX: usize = 256;
/// Who has not signed in by then is sent away.
const SIGN_IN_TIME: Duration = Duration::from_secs(60);
/// Who says nothing for so long is sent away.
const IDLE_TIME: Duration = Duration::from_secs(600);
/// How long a refusal takes, whatever its reason.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Wrong passwords on one connection.
const ATTEMPTS_MAX: usize = 6;
/// The listener rests for so long when the system has no room for another connection.
const REST_TIME: Duration = Duration::from_millis(200);
/// How long a connection may take to end when the server stops.
const GOODBYE_TIME: Duration = Duration::from_secs(5);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("listening for SFTP on {address}: is the port in use?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// A server that is bound, and serves once it is [run](Server::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`StartError::Bind`].
    pub async fn bind(address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. `host_key` is the seed of an Ed25519 key: the same on every start, or clients refuse to come back.
    pub async fn run<L: Library>(self, library: Arc<L>, host_key: &Zeroizing<[u8; 32]>, stop: CancellationToken) {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(host_key));
        tracing::info!(address = %self.address, "SFTP on {}, host key {}", self.address, key.fingerprint(HashAlg::Sha256));
        let config = Arc::new(Config {
            server_id: SshId::Standard("SSH-2.0-kontor".into()),
            methods: MethodSet::from(&[MethodKind::Password][..]),
            keys: vec![key],
            auth_rejection_time: REFUSAL_TIME,
            // Clients begin by asking which methods there are: that is no guess at a password.
            auth_rejection_time_initial: Some(Duration::ZERO),
            max_auth_attempts: ATTEMPTS_MAX,
            inactivity_timeout: Some(IDLE_TIME),
            nodelay: true,
            ..Config::default()
        });
        let (room, connections) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &room) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let serving =
                        serve(Arc::clone(&config), stream, peer, Arc::clone(&library), stop.child_token(), place);
                    connections.spawn(serving);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "accepting an SFTP connection");
                    tokio::time::sleep(REST_TIME).await;
                }
            }
        }
        connections.close();
        // Nothing is lost when a reader is cut off: it begins again.
        drop(tokio::time::timeout(GOODBYE_TIME, connections.wait()).await);
    }
}

/// The public half of a host key, as it stands in a `known_hosts` file behind the host's name.
///
/// # Errors
/// Never, for a seed of this length.
pub fn known_host(host_key: &Zeroizing<[u8; 32]>) -> Result<String, russh::keys::ssh_key::Error> {
    PrivateKey::from(Ed25519Keypair::from_seed(host_key)).public_key().to_openssh()
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

async fn serve<L: Library>(
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    library: Arc<L>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let signed_in = CancellationToken::new();
    let session = Session::new(library, peer.ip(), signed_in.clone());
    let opened = tokio::select! {
        () = stop.cancelled() => return,
        () = tokio::time::sleep(SIGN_IN_TIME) => return,
        opened = run_stream(config, stream, session) => opened,
    };
    let running = match opened {
        Ok(running) => running,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "an SFTP connection did not come about");
            return;
        }
    };
    let handle = running.handle();
    let late = async {
        tokio::select! {
            () = signed_in.cancelled() => std::future::pending().await,
            () = tokio::time::sleep(SIGN_IN_TIME) => {}
        }
    };
    tokio::pin!(running);
    let reason = tokio::select! {
        () = stop.cancelled() => "The server stops.",
        () = late => "Nobody signed in.",
        ended = &mut running => {
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn std::error::Error, "an SFTP connection ended early");
            }
            return;
        }
    };
    if handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new()).await.is_ok() {
        drop(tokio::time::timeout(GOODBYE_TIME, running).await);
    }
}
