//! Asking tasks to end.

use tokio_util::sync::CancellationToken;

/// Tells a task that it should end. Cheap to clone.
///
/// # Bounds
/// One flag; its task's record has room for it.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
}

impl Stop {
    pub(crate) fn over(token: CancellationToken) -> Self {
        Self { token }
    }

    /// Waits until the task should end; at once if it should already.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost when the wait is given up.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }

    /// Tells whether the task should end.
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Runs a future until it is done or the task should end, whichever comes first; stopping wins a tie.
    ///
    /// # Cancel safety
    /// The future is dropped where it stands when the stop comes: it must allow that.
    pub async fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            biased; // a stop is not delayed by a future that is always ready
            () = self.token.cancelled() => None,
            output = future => Some(output),
        }
    }
}

/// Tells those who hold its [`Stop`]s to end. Dropping it tells them too, so that nothing runs without an owner.
///
/// # Bounds
/// One flag, whoever waits for it.
#[derive(Debug, Default)]
pub struct Stopper {
    token: CancellationToken,
}

impl Stopper {
    /// Makes one that has not stopped anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle for those who shall end.
    pub fn stop_token(&self) -> Stop {
        Stop::over(self.token.clone())
    }

    /// Tells everybody to end.
    pub fn stop(&self) {
        self.token.cancel();
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.token.cancel();
    }
}
