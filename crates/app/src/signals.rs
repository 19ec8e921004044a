//! Ctrl-C and SIGTERM: caught from the start on, so that none ends the process where it stands while orders are open.

use std::future::{pending, poll_fn};
use std::task::Poll;

/// Catches the signals that end the process in order.
pub struct Signals {
    #[cfg(unix)]
    caught: [Option<tokio::signal::unix::Signal>; 2],
}

impl Signals {
    /// Begins to catch them: from here on a signal waits for [`Signals::wait`] instead of ending the process.
    pub fn catch() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let caught = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
                let caught = signal(kind);
                if let Err(error) = &caught {
                    tracing::warn!(%error, "a signal cannot be caught");
                }
                caught.ok()
            });
            Self { caught }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the first that came since they are caught.
    ///
    /// # Cancel safety
    /// Safe: a signal that came waits for the next call.
    #[cfg(unix)]
    pub async fn wait(&mut self) {
        if self.caught.iter().all(Option::is_none) {
            pending::<()>().await;
        }
        poll_fn(|cx| {
            let came = self.caught.iter_mut().flatten().any(|signal| signal.poll_recv(cx).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits for Ctrl-C.
    ///
    /// # Cancel safety
    /// Safe.
    #[cfg(not(unix))]
    pub async fn wait(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C cannot be caught");
            pending::<()>().await;
        }
    }
}
