//! The answer to one command.

use std::time::Duration;

use tokio::sync::oneshot;

/// Makes a pair for one answer.
///
/// # Bounds
/// By its nature: one item, one use. Whoever queues the command accounts for it.
pub fn reply<T>() -> (ReplySender<T>, ReplyReceiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (ReplySender { sender }, ReplyReceiver { receiver })
}

/// Gives the answer.
pub struct ReplySender<T> {
    sender: oneshot::Sender<T>,
}

impl<T> ReplySender<T> {
    /// Gives the answer without waiting.
    ///
    /// # Errors
    /// Gives it back when nobody waits for it any more.
    pub fn send(self, answer: T) -> Result<(), crate::Closed<T>> {
        self.sender.send(answer).map_err(crate::Closed)
    }

    /// Tells whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T> std::fmt::Debug for ReplySender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplySender")
    }
}

/// Waits for the answer.
pub struct ReplyReceiver<T> {
    receiver: oneshot::Receiver<T>,
}

impl<T> ReplyReceiver<T> {
    /// Waits for the answer, no longer than `timeout`.
    ///
    /// # Errors
    /// When the other side let go without an answer, or the time is over; a late answer is then given back to its sender.
    ///
    /// # Cancel safety
    /// An answer that comes while this is given up is lost.
    pub async fn wait(self, timeout: Duration) -> Result<T, NoReply> {
        match tokio::time::timeout(timeout, self.receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoReply::Dropped),
            Err(_) => Err(NoReply::TimedOut { after_ms: timeout.as_millis().min(u128::from(u64::MAX)) as u64 }),
        }
    }
}

impl<T> std::fmt::Debug for ReplyReceiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplyReceiver")
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// Whoever had to answer has gone.
    #[error("whoever had to answer has gone")]
    Dropped,
    /// The time is over. The command may have been carried out all the same.
    #[error("no answer within {after_ms} ms")]
    TimedOut {
        /// How long was waited, in milliseconds.
        after_ms: u64,
    },
}
