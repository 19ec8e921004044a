//! Catching what a future throws.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::tasks::ExitText;

/// Runs a future and returns the text of its panic instead of unwinding.
///
/// The future is not polled again after a panic, and nobody else sees what it borrowed, so broken invariants stay in it.
pub(crate) async fn catch<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> Result<F::Output, ExitText> {
    let outcome = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(payload) => Poll::Ready(Err(text(payload.as_ref()))),
    })
    .await;
    // Dropping what panicked may panic again; that must not take the caller along.
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => outcome,
        Err(payload) => outcome.and(Err(text(payload.as_ref()))),
    }
}

/// Reads the text of a panic.
pub(crate) fn text(payload: &(dyn Any + Send)) -> ExitText {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    ExitText::cut(text.unwrap_or("panic without a text"))
}
