//! Who finishes what was begun when its caller stops waiting? A task of its own.

use tokio::task::JoinHandle;

/// Runs `work` to its end, whether or not the handle is awaited.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine has no App, and a shutdown need not wait: all that it does can be begun again"
)]
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(work)
}
