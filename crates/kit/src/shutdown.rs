//! Stopping in order: one token that everything long-running watches.

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Told once, heard by all clones. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A token that nobody has triggered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that SIGTERM and SIGINT trigger. A second signal ends the process at once, for someone who cannot wait.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let hook = shutdown.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "{name} received, finishing what is in flight");
            hook.trigger();
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("second signal received, stopping at once");
            // 128 + SIGINT, as shells report it.
            std::process::exit(130);
        });
        Ok(shutdown)
    }

    /// Asks everyone to stop. Repeating it changes nothing.
    pub fn trigger(&self) {
        self.token.cancel();
    }

    /// Whether stopping has been asked for.
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Resolves once stopping has been asked for. Owned, so it can move into a task.
    pub fn requested(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }

    /// The token itself, for what is written against tokio's own.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// A token that stops with this one, or alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { token: self.token.child_token() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_stops_with_its_parent_but_not_the_other_way() {
        let parent = Shutdown::new();
        let (first, second) = (parent.child(), parent.child());
        first.trigger();
        assert!(first.is_triggered() && !parent.is_triggered() && !second.is_triggered());
        parent.trigger();
        second.requested().await;
    }
}
